package stream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func msTime(ms int64) time.Time { return time.UnixMilli(ms) }

func bodies(h History) string {
	var b []string
	for _, e := range h.Entries {
		b = append(b, string(e.Body))
	}
	return strings.Join(b, " ")
}

func TestReadReturnsAllAfterAPosition(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		one := func(c *Config) { c.Shards = 1 }
		s := p.stream(one)
		a1 := put(t, s, doc("a"), mid(1), "a1")
		b1 := put(t, s, doc("b"), mid(2), "b1")
		a2 := put(t, s, doc("a"), mid(3), "a2")
		for _, c := range []struct {
			target id.Target
			after  uint64
			want   string
		}{
			{doc("a"), a1.Epoch, "a1 a2"},
			{doc("a"), a1.Seq, "a2"},
			{doc("a"), b1.Seq, "a2"},
			{doc("a"), a2.Seq, ""},
			{doc("b"), a1.Seq, "b1"},
			{doc("b"), a2.Seq, ""},
			{doc("never"), a1.Epoch, ""},
		} {
			h, err := p.stream(one).Read(ctxT(t), c.target, a1.Epoch, c.after)
			if err != nil || bodies(h) != c.want || h.Seq != a2.Seq || h.Epoch != a1.Epoch {
				t.Errorf("%v after %d: %q %v, position %d/%d", c.target, c.after, bodies(h), err, h.Epoch, h.Seq)
			}
		}
		for _, e := range must[History](t)(s.Read(ctxT(t), doc("a"), a1.Epoch, a1.Seq)).Entries {
			if e.Seq != a2.Seq || e.Epoch != a2.Epoch || e.Mid != a2.Mid || e.Target != doc("a") {
				t.Errorf("entry %+v, want %+v", e, a2)
			}
		}
	})
}

func TestReadRefusesPositionsOfOtherEpochs(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		e := put(t, s, doc("a"), mid(1), "")
		for _, c := range []struct{ epoch, after uint64 }{
			{e.Epoch - 1, e.Seq}, {e.Epoch + 1, e.Seq}, {0, 0}, {e.Epoch, e.Seq + 1}, // the last is not known yet
		} {
			if _, err := s.Read(ctxT(t), doc("a"), c.epoch, c.after); !errors.Is(err, ErrEpoch) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		// What a client makes up must not disturb the others.
		if again := put(t, s, doc("a"), mid(2), ""); again.Epoch != e.Epoch {
			t.Errorf("epoch %d became %d", e.Epoch, again.Epoch)
		}
		p.restart(s)
		h, err := s.Read(ctxT(t), doc("a"), e.Epoch, e.Seq)
		if !errors.Is(err, ErrEpoch) || h.Epoch <= e.Epoch {
			t.Errorf("after a restart: %+v %v", h, err)
		}
	})
}

func TestHistoryIsBoundedByCount(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream(func(c *Config) { c.MaxEntries = 3 })
		var seqs []uint64
		for i := range 10 {
			seqs = append(seqs, put(t, s, doc("a"), mid(i), fmt.Sprint(i)).Seq)
		}
		epoch := seqs[0] - 1
		if h := must[History](t)(s.Read(ctxT(t), doc("a"), epoch, seqs[6])); bodies(h) != "7 8 9" {
			t.Errorf("history %q", bodies(h))
		}
		if _, err := s.Read(ctxT(t), doc("a"), epoch, seqs[5]); !errors.Is(err, ErrTrimmed) {
			t.Errorf("past the cut: %v", err)
		}
		// What was cut off is still known to have been appended.
		if _, dup, err := s.Append(ctxT(t), doc("a"), mid(0), nil); err != nil || !dup {
			t.Errorf("again: %v %v", dup, err)
		}
	})
}

func TestHistoryIsBoundedByBytes(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		const entry = 64
		s := p.stream(func(c *Config) { c.MaxBytes = 10 * (entry + 36) })
		key := s.shards[s.ShardOf(doc("a"))].keys.stream("d:a")
		count := func() int64 { return must[int64](t)(p.Client().XLen(ctxT(t), key).Result()) }
		n := 0
		add := func(size int) {
			n++
			put(t, s, doc("a"), mid(n), strings.Repeat("x", size))
		}
		for range 30 {
			add(36)
		}
		if got := count(); got != 10 {
			t.Errorf("%d small entries, want 10", got)
		}
		add(536) // as much as 6 of them
		if got := count(); got != 5 {
			t.Errorf("%d entries with a large one, want 5", got)
		}
		add(100_000) // more than all
		if got := count(); got != 1 {
			t.Errorf("%d entries with an oversize one, want 1", got)
		}
		for range 30 {
			add(36)
		}
		if got := count(); got != 10 {
			t.Errorf("%d small entries at the end, want 10", got)
		}
		// The counter does not drift: it is what is really there.
		meta := must[string](t)(p.Client().HGet(ctxT(t), s.shards[s.ShardOf(doc("a"))].keys.meta("d:a"), "b").Result())
		if meta != "1000" {
			t.Errorf("the stream is counted as %s bytes", meta)
		}
	})
}

func TestHistoryIsBoundedByAge(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	s := p.stream(func(c *Config) { c.Window, c.Remember = 10*time.Minute, time.Hour })
	start := time.Now()
	at := func(d time.Duration) { p.Mini.SetTime(start.Add(d)) }
	var seqs []uint64
	for i := range 30 {
		at(time.Duration(i) * time.Minute)
		seqs = append(seqs, put(t, s, doc("a"), mid(i), fmt.Sprint(i)).Seq)
	}
	// The last was at minute 29: what is older than 10 minutes is gone, except
	// for what is in the same step, and nothing younger is.
	h := must[History](t)(s.Read(ctxT(t), doc("a"), seqs[0]-1, seqs[18]))
	if bodies(h) != "19 20 21 22 23 24 25 26 27 28 29" {
		t.Errorf("history %q", bodies(h))
	}
	if _, err := s.Read(ctxT(t), doc("a"), seqs[0]-1, seqs[16]); !errors.Is(err, ErrTrimmed) {
		t.Errorf("past the window: %v", err)
	}
	// So are the message ids, not before.
	for i, want := range map[int]bool{20: true, 29: true, 5: false} {
		if _, dup, err := s.Append(ctxT(t), doc("a"), mid(i), nil); err != nil || dup != want {
			t.Errorf("mid %d again: %v %v", i, dup, err)
		}
	}
}

// Whoever was connected for hours to a document in which nothing happened has an
// old position and has missed nothing.
func TestIdleDocumentKeepsItsPosition(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	one := func(c *Config) { c.Shards, c.Window, c.Remember = 1, 10*time.Minute, time.Hour }
	s := p.stream(one)
	start := time.Now()
	at := func(d time.Duration) {
		p.Mini.SetTime(start.Add(d))
	}
	n := 0
	busy := func() Entry { // other documents have messages all the time
		n++
		return put(t, s, doc("busy"), mid(n), "")
	}
	at(0)
	first := busy()
	idle := put(t, s, doc("idle"), mid(1000), "idle")
	epoch := idle.Epoch
	read := func(target id.Target, after uint64) string {
		h, err := p.stream(one).Read(ctxT(t), target, epoch, after)
		if err != nil {
			return err.Error()
		}
		return bodies(h)
	}
	for minute := 1; minute <= 50; minute++ {
		at(time.Duration(minute) * time.Minute)
		p.Mini.FastForward(time.Minute)
		busy()
	}
	if got := read(doc("idle"), idle.Seq); got != "" {
		t.Errorf("nothing missed: %q", got)
	}
	if got := read(doc("idle"), first.Seq); got != ErrTrimmed.Error() {
		t.Errorf("one missed, and gone: %q", got)
	}
	if got := read(doc("never"), first.Seq); got != "" {
		t.Errorf("a document without messages: %q", got)
	}
	// The first message after the history has expired begins a new one.
	put(t, s, doc("idle"), mid(1001), "again")
	if got := read(doc("idle"), idle.Seq); got != "again" {
		t.Errorf("one missed: %q", got)
	}
	if got := read(doc("idle"), first.Seq); got != ErrTrimmed.Error() {
		t.Errorf("two missed, one gone: %q", got)
	}
	if bytes := p.Mini.HGet(s.shards[0].keys.meta("d:idle"), "b"); bytes != "69" {
		t.Errorf("the history is counted as %s bytes", bytes)
	}
	for minute := 51; minute <= 190; minute++ {
		at(time.Duration(minute) * time.Minute)
		p.Mini.FastForward(time.Minute)
		busy()
	}
	// Nothing is known any more of the time before.
	for _, target := range []id.Target{doc("idle"), doc("never")} {
		if got := read(target, idle.Seq); got != ErrTrimmed.Error() {
			t.Errorf("%v: %q", target, got)
		}
		if got := read(target, busy().Seq); got != "" {
			t.Errorf("%v: %q", target, got)
		}
	}
	if marks := p.keysLen(s.shards[0].keys.marks); marks > 70 {
		t.Errorf("%d marks are kept", marks)
	}
}

// A shard in which nothing happened for long must not forget that something
// happened before: its marks are not renewed.
func TestForgottenMessageInAnIdleShardIsAGap(t *testing.T) {
	p := &place{redistest.Open(t, redistest.EmbeddedKind)}
	s := p.stream(func(c *Config) { c.Shards, c.Window, c.Remember = 1, 10*time.Minute, time.Hour })
	start := time.Now()
	p.Mini.SetTime(start)
	first := put(t, s, doc("a"), mid(1), "")
	second := put(t, s, doc("b"), mid(2), "")
	for _, d := range []time.Duration{61 * time.Minute, 30 * time.Minute, time.Hour} {
		start = start.Add(d)
		p.Mini.SetTime(start)
		p.Mini.FastForward(d)
		h, err := s.Read(ctxT(t), doc("b"), first.Epoch, first.Seq)
		if !errors.Is(err, ErrTrimmed) {
			t.Fatalf("after %v: %+v %v", d, h, err)
		}
		if h, err := s.Read(ctxT(t), doc("b"), first.Epoch, second.Seq); err != nil || len(h.Entries) != 0 {
			t.Fatalf("after %v: %+v %v", d, h, err)
		}
	}
}

func (p *place) keysLen(list string) int64 {
	return must[int64](p.T)(p.Client().LLen(ctxT(p.T), list).Result())
}
