package transport

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// withWriter chooses how batches leave.
func withWriter(writer string) option {
	return config(func(c *Config) { c.Writer = writer })
}

var writers = []string{writerCalls, writerAuto}

// What is sent in batches and what is sent apart reach each session in order.
func TestBatchesKeepTheOrder(t *testing.T) {
	const sessions, rounds = 2 * ringSize, 30
	for _, writer := range writers {
		for name, carrier := range carriers {
			t.Run(writer+" "+name, func(t *testing.T) {
				w := newWorld(t, carrier.option, withWriter(writer))
				peers, all := w.several(sessions)
				var batch Batch
				for n := range rounds {
					f := NewFrame(fmt.Appendf(nil, "%d a", n))
					again := NewFrame(fmt.Appendf(nil, "%d b", n))
					apart := NewFrame(fmt.Appendf(nil, "%d c", n))
					for i, c := range all {
						batch.Send(c.s, f)
						if i%2 == 0 {
							batch.Send(c.s, again) // behind what has not left
						}
						if i%3 == 0 {
							c.s.Send(apart)
						}
					}
					batch.Flush()
				}
				for i, p := range peers {
					for n := range rounds {
						p.wants(fmt.Sprintf("4%d a", n))
						if i%2 == 0 {
							p.wants(fmt.Sprintf("4%d b", n))
						}
						if i%3 == 0 {
							p.wants(fmt.Sprintf("4%d c", n))
						}
					}
				}
			})
		}
	}
}

func (w *world) several(n int) (peers []*peer, all []*client) {
	for range n {
		p, c := w.websocket(4)
		peers, all = append(peers, p), append(all, c)
	}
	return peers, all
}

// Who does not read is closed as slow and delays nobody.
func TestABatchDoesNotWaitForTheSlow(t *testing.T) {
	for _, writer := range writers {
		t.Run(writer, func(t *testing.T) {
			w := newWorld(t, config(small), withWriter(writer))
			peers, all := w.several(ringSize / 2)
			_, stalled := w.dialSlow()
			var batch Batch
			var err error
			text := strings.Repeat("x", 10_000)
			f := NewFrame([]byte(text))
			for n := 0; err == nil && n < 10_000; n++ {
				err = batch.Send(stalled.s, f)
				for _, c := range all {
					if err := batch.Send(c.s, f); err != nil {
						t.Fatal(err)
					}
				}
				batch.Flush()
				for _, p := range peers {
					p.wants("4" + text)
				}
			}
			if err != ErrSlow {
				t.Fatalf("the stalled one was sent: %v", err)
			}
			stalled.wantsClosed(ReasonSlow)
		})
	}
}

// A session that ends while a batch holds something for it is closed when the
// batch leaves, and not before: its descriptor is in use.
func TestASessionEndsWithinABatch(t *testing.T) {
	for _, writer := range writers {
		t.Run(writer, func(t *testing.T) {
			w := newWorld(t, withWriter(writer))
			peers, all := w.several(2 * worthRing)
			var batch Batch
			f := NewFrame([]byte("last"))
			for _, c := range all {
				batch.Send(c.s, f)
			}
			for _, c := range all[1:] {
				c.s.close(ReasonServer, harshly)
			}
			batch.Flush()
			peers[0].wants("4last")
			for i, p := range peers[1:] {
				p.SetReadDeadline(time.Now().Add(patience))
				if _, err := io.Copy(io.Discard, p.NetConn()); isTimeout(err) {
					t.Errorf("%d: the connection was not closed", i)
				}
				if err := batch.Send(all[1+i].s, f); err != ErrClosed {
					t.Errorf("%d: sent to a closed session: %v", i, err)
				}
			}
		})
	}
}

func isTimeout(err error) bool {
	e, ok := err.(interface{ Timeout() bool })
	return ok && e.Timeout()
}

func TestBatchesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, writer := range writers {
		w := newWorld(t, withWriter(writer))
		peers, all := w.several(ringSize)
		for _, p := range peers {
			go io.Copy(io.Discard, p.NetConn())
		}
		var batch Batch
		f := NewFrame(repeat("x", 480))
		if n := testing.AllocsPerRun(200, func() {
			for _, c := range all {
				batch.Send(c.s, f)
			}
			batch.Flush()
		}); n != 0 {
			t.Errorf("%s: %v allocations", writer, n)
		}
	}
}
