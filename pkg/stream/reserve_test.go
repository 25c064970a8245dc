package stream

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestReserveAnswersWithTheFirstMid(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		content, other := sha256.Sum256([]byte("content")), sha256.Sum256([]byte("other"))
		expect := func(component, key string, digest [32]byte, m int, want Reservation) {
			t.Helper()
			r, err := p.stream().Reserve(ctxT(t), component, key, digest, mid(m))
			if err != nil || r != want {
				t.Errorf("reserve %s/%s: %+v %v, want %+v", component, key, r, err, want)
			}
		}
		expect("docs", "k", content, 1, Reservation{mid(1), Fresh})
		expect("docs", "k", content, 2, Reservation{mid(1), Pending})
		expect("docs", "k", other, 3, Reservation{mid(1), Conflict})
		if err := s.Done(ctxT(t), "docs", "k"); err != nil {
			t.Fatal(err)
		}
		expect("docs", "k", content, 4, Reservation{mid(1), Done})
		expect("docs", "k", other, 5, Reservation{mid(1), Conflict})
		expect("sheets", "k", content, 6, Reservation{mid(6), Fresh})
		expect("doc", "sk", content, 7, Reservation{mid(7), Fresh})
		if err := s.Done(ctxT(t), "docs", "unknown"); err != nil {
			t.Fatal(err)
		}
		expect("docs", "unknown", content, 8, Reservation{mid(8), Fresh})
	})
}

func TestReserveIsFreshForOneOfMany(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream()
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				r, err := s.Reserve(ctxT(t), "docs", "k", [32]byte{1}, mid(i))
				if err != nil {
					t.Error(err)
				} else if r.State == Fresh {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 {
			t.Errorf("fresh for %d", fresh.Load())
		}
	})
}

func TestReservationsExpire(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s := p.stream(func(c *Config) { c.KeyFor = 500 * time.Millisecond })
		for i, done := range []bool{false, true} {
			key := fmt.Sprint(i)
			must[Reservation](t)(s.Reserve(ctxT(t), "docs", key, [32]byte{1}, mid(1)))
			if done {
				if err := s.Done(ctxT(t), "docs", key); err != nil {
					t.Fatal(err)
				}
			}
			if p.Mini != nil {
				p.Mini.FastForward(s.cfg.KeyFor)
			}
			eventually(t, "the key is forgotten", func() bool {
				r := must[Reservation](t)(s.Reserve(ctxT(t), "docs", key, [32]byte{2}, mid(2)))
				return r.State == Fresh
			})
		}
	})
}
