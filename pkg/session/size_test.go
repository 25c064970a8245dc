package session

import (
	"slices"
	"testing"
	"time"
)

// The size that is promised on a real Redis, a smaller one on the embedded one.
// It may be tried three times: the time is that of a machine which is not busy
// with something else.
func TestLostIndexIsRebuiltWithinTenSeconds(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		n := 100_000
		if raceDetector {
			n = 5000
		}
		if p.Mini != nil {
			n = 2000
			p.Mini.ClockTTL(false) // looks at every key for every command
		}
		i := p.index(asDefault)
		h := p.openWith(i, Node{1, "b"})
		crowd := p.crowd(i, n)
		h.mu.Lock()
		h.sockets = crowd.sockets
		h.mu.Unlock()
		if _, err := i.rebuild(ctxT(t), i.self.Load()); err != nil {
			t.Fatal(err)
		}
		const bound = 10 * time.Second
		took := 2 * bound
		for try := 0; try < 3 && took > bound; try++ {
			p.wipe()
			start := time.Now()
			eventually(t, "all sockets are back", func() bool {
				return must[int64](t)(p.Client().ZCard(ctxT(t), i.keys.nodeClients(h.node)).Result()) == int64(n)
			})
			took = time.Since(start)
			t.Logf("%d sockets in %v", n, took)
		}
		if took > bound {
			t.Errorf("%d sockets took %v", n, took)
		}
		sample := held(i.self.Load())
		slices.Sort(sample)
		sample = sample[:1000]
		eventually(t, "they are found", func() bool {
			got, err := i.GetMany(ctxT(t), sample)
			return err == nil && len(got) == len(sample)
		})
	})
}
