package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

// until is a context that ends by its deadline alone, as the gateway's.
type until struct {
	context.Context
	at time.Time
}

func (u until) Deadline() (time.Time, bool) { return u.at, true }

func TestWhatAConnectWritesAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes pools forget")
	}
	i := open(t, redistest.EmbeddedKind).index()
	c := Client{Socket: newSocket(9), User: "ann", Docs: []id.Doc{"d"}, Replica: 9, Boot: "boot", AuthType: "web", ClientVersion: "1", Locale: "de", Since: time.Now()}
	token := Token{User: "ann", ID: "j", AuthType: "web"}
	for name, write := range map[string]func(*part){
		"entry": func(p *part) { i.entry(p, &c, i.version()) },
		"questions": func(p *part) {
			var few [4]RevokedTokens
			for _, by := range token.appendRevokedBy(few[:0]) {
				p.text = i.keys.appendRevoked(p.text, &by)
				p.do("get", p.word())
			}
		},
	} {
		n := testing.AllocsPerRun(100, func() {
			p := i.group.part()
			write(p)
			p.free()
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestASheetIsReadAsItWasWritten(t *testing.T) {
	var s sheet
	for round := range 3 {
		for n := range 20 * maxKeptCommands { // what has grown has moved
			s.args = append(s.args, "zadd", s.string(fmt.Sprint("key-", n)), "gt", s.int(int64(n-5)), s.socket(id.Socket(n)))
			s.command()
		}
		for n, cmd := range s.used {
			want := fmt.Sprintf("zadd key-%d gt %d %s", n, n-5, id.Socket(n))
			if got := strings.Trim(fmt.Sprint(cmd.Args()), "[]"); got != want {
				t.Fatalf("round %d: %s, want %s", round, got, want)
			}
			if b, err := cmd.Args()[1].(*word).MarshalBinary(); string(b) != fmt.Sprint("key-", n) || err != nil {
				t.Fatalf("a key is written as %s, %v", b, err)
			}
		}
		s.wipe()
		if cap(s.text) > maxKeptText || len(s.spare) > maxKeptCommands || len(s.used)+len(s.args)+len(s.words) > 0 {
			t.Fatalf("%d bytes and %d commands are kept", cap(s.text), len(s.spare))
		}
	}
}

func TestCommandsOfASheetAreUsedAgain(t *testing.T) {
	var s sheet
	for range 3 {
		for range maxKeptCommands {
			s.args = append(s.args, "get", s.string("key"))
			s.command().SetErr(errors.New("failed"))
		}
		s.wipe()
		if len(s.spare) != maxKeptCommands {
			t.Fatalf("%d commands are kept", len(s.spare))
		}
		for _, cmd := range s.spare {
			if cmd.Err() != nil || len(cmd.Args()) > 0 {
				t.Fatalf("%v is kept", cmd)
			}
		}
	}
}

// A caller with such a context leaves when its time is over, as others do, and what
// it had is not written; the next one with its timer has all its time.
func TestADeadlineAloneEndsAWait(t *testing.T) {
	g := newGate(t)
	h, release := g.blocked()
	late := h.hold("late", "d")
	if err := h.i.Add(until{context.Background(), time.Now().Add(20 * time.Millisecond)}, late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an operation behind a Redis that does not answer: %v", err)
	}
	release()
	for range 50 {
		c := h.hold("ann", "e")
		if err := h.i.Add(until{context.Background(), time.Now().Add(5 * time.Second)}, c); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := h.i.redis.Client().ZCard(ctxT(t), h.i.keys.doc("d", 0)).Result(); n != 0 || err != nil {
		t.Errorf("%d of those who left are written, %v", n, err)
	}
	if n, err := h.i.redis.Client().ZCard(ctxT(t), h.i.keys.doc("e", 0)).Result(); n != 50 || err != nil {
		t.Errorf("%d of 50 are written, %v", n, err)
	}
}
