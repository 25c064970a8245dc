package bus

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// scene drives holdups with a clock of its own and writes down what they hand out.
type scene struct {
	t   *testing.T
	cfg ConsumerConfig
	hs  holdups
	now time.Time
	out []string
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, cfg: DefaultConfig().Consumer, now: time.Unix(0, 0)}
	s.cfg.RetryFor, s.cfg.RetryBackoff, s.cfg.MaxAttempts = time.Second, 100*time.Millisecond, 10
	s.hs = holdups{cfg: &s.cfg, keys: map[string]*holdup{}}
	return s
}

func (s *scene) entry(key string, offset int64) *entry {
	e := &entry{rec: Record{Key: key, Offset: offset}}
	e.key = keyOf(&e.rec)
	return e
}

// fetch offers a new record as partition.take does.
func (s *scene) fetch(e *entry) {
	if s.hs.admit(e) {
		e.attempt = 1
		s.write(e)
	}
}

func (s *scene) write(e *entry) {
	what := fmt.Sprintf("%s%d#%d", e.rec.Key, e.rec.Offset, e.attempt)
	if e.dead {
		what = fmt.Sprintf("%s%d+", e.rec.Key, e.rec.Offset)
	}
	s.out = append(s.out, what)
}

// retry does one round of what partition.retryDue does and returns what was handed out.
func (s *scene) retry() []*entry {
	due, _ := s.hs.ready(s.now, "")
	for _, e := range due {
		s.write(e)
		if e.dead {
			s.hs.buried(e, s.now)
		} else {
			s.hs.returned(e)
		}
	}
	return due
}

func (s *scene) refuse(e *entry) { s.hs.refuse(e, s.now) }
func (s *scene) pass(d time.Duration) *scene {
	s.now = s.now.Add(d)
	return s
}

func (s *scene) expect(want string) {
	s.t.Helper()
	if got := strings.Join(s.out, " "); got != want {
		s.t.Fatalf("got  %s\nwant %s", got, want)
	}
	s.out = nil
}

func TestHeldKeyGoesOnOneByOneUntilItIsWell(t *testing.T) {
	s := newScene(t)
	a0, a1, a2, b3 := s.entry("a", 0), s.entry("a", 1), s.entry("a", 2), s.entry("b", 3)
	s.fetch(a0)
	s.fetch(a1)
	s.expect("a0#1 a1#1")
	s.refuse(a1) // a1 before a0: both were out already
	s.refuse(a0)
	s.fetch(a2)
	s.fetch(b3)
	s.expect("b3#1")
	s.retry()
	s.expect("")
	s.pass(150 * time.Millisecond).retry()
	s.retry()
	s.expect("a0#2") // the older first, and alone
	s.hs.accept(a0)
	s.retry()
	s.retry()
	s.expect("a1#2")
	s.hs.accept(a1)
	s.retry()
	s.expect("a2#1")
	s.hs.accept(a2)
	if len(s.hs.keys) != 0 {
		t.Errorf("%d keys are still held up", len(s.hs.keys))
	}
	s.fetch(s.entry("a", 4))
	s.expect("a4#1")
}

func TestPauseDoublesUntilPatienceIsOver(t *testing.T) {
	s := newScene(t)
	e := s.entry("a", 0)
	s.fetch(e)
	s.expect("a0#1")
	for _, pause := range []int{100, 200, 400} { // 700 ms; 800 more would be too long
		s.refuse(e)
		s.pass(time.Duration(pause-1) * time.Millisecond).retry()
		s.expect("")
		s.pass(time.Millisecond).retry()
		s.expect(fmt.Sprintf("a0#%d", e.attempt))
	}
	s.refuse(e)
	s.retry()
	s.expect("a0+")
}

func TestAttemptsAreBounded(t *testing.T) {
	s := newScene(t)
	s.cfg.MaxAttempts = 3
	e := s.entry("a", 0)
	s.fetch(e)
	for range 2 {
		s.refuse(e)
		s.pass(300 * time.Millisecond).retry()
	}
	s.refuse(e)
	s.retry()
	s.expect("a0#1 a0#2 a0#3 a0+")
}

func TestStreamOfPoisonDoesNotCostPatienceAgainAndAgain(t *testing.T) {
	s := newScene(t)
	s.cfg.MaxAttempts = 2
	first := s.entry("a", 0)
	s.fetch(first)
	var rest []*entry
	for i := range int64(3) {
		rest = append(rest, s.entry("a", i+1))
		s.fetch(rest[i])
	}
	s.refuse(first)
	for _, e := range rest {
		s.refuse(e)
	}
	s.pass(150 * time.Millisecond).retry()
	s.refuse(first)
	s.retry()
	s.expect("a0#1 a1#1 a2#1 a3#1 a0#2 a0+")
	// All others get their second chance at once, without waiting for one another.
	for range 3 {
		s.retry()
	}
	s.expect("a1#2 a2#2 a3#2")
	for _, e := range rest {
		s.refuse(e)
	}
	for range 3 {
		s.retry()
	}
	s.expect("a1+ a2+ a3+")

	// A key in bad standing is delivered, and has one short second chance.
	next := s.entry("a", 9)
	s.fetch(next)
	s.refuse(next)
	s.pass(s.cfg.RetryBackoff).retry()
	s.refuse(next)
	s.retry()
	s.expect("a9#1 a9#2 a9+")

	// One success, and it is trusted again.
	well := s.entry("a", 10)
	s.fetch(well)
	s.hs.accept(well)
	if len(s.hs.keys) != 0 {
		t.Error("the key is not trusted again")
	}
}

func TestBadStandingEnds(t *testing.T) {
	s := newScene(t)
	s.hs.bury(s.entry("a", 0), s.now)
	s.retry()
	s.expect("a0+")
	s.pass(standingFor + 1).retry()
	if len(s.hs.keys) != 0 {
		t.Error("the key is held up for ever")
	}
}

func TestLateAnswerTakesARecordOutOfItsQueue(t *testing.T) {
	s := newScene(t)
	e, next := s.entry("a", 0), s.entry("a", 1)
	s.fetch(e)
	s.refuse(e)
	s.fetch(next)
	s.hs.accept(e)
	s.pass(time.Hour).retry()
	s.expect("a0#1 a1#1")
}

func TestRecordsWithoutAKeyDoNotWaitForOneAnother(t *testing.T) {
	s := newScene(t)
	e := s.entry("", 0)
	s.fetch(e)
	s.refuse(e)
	s.fetch(s.entry("", 1))
	s.expect("0#1 1#1")
}

func TestLetterThatCouldNotBeWrittenIsTriedAgain(t *testing.T) {
	s := newScene(t)
	e := s.entry("a", 0)
	s.hs.bury(e, s.now)
	due, _ := s.hs.ready(s.now, "")
	s.hs.unburied(due[0], s.now.Add(time.Second))
	s.retry()
	s.expect("")
	s.pass(time.Second).retry()
	s.expect("a0+")
}

func TestKeyInUseIsLeftAlone(t *testing.T) {
	s := newScene(t)
	e := s.entry("a", 0)
	s.fetch(e)
	s.refuse(e)
	s.pass(time.Second)
	if due, _ := s.hs.ready(s.now, "a"); len(due) != 0 {
		t.Error("handed over while its key was in use")
	}
}
