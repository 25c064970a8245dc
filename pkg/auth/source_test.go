package auth

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// served is a JWK set somewhere else.
type served struct {
	raw     atomic.Pointer[[]byte]
	down    atomic.Bool
	delay   atomic.Int64
	fetches atomic.Int64
}

func (s *served) set(raw []byte) { s.raw.Store(&raw) }

func (s *served) fetch(ctx context.Context) ([]byte, error) {
	s.fetches.Add(1)
	if d := time.Duration(s.delay.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if s.down.Load() {
		return nil, errors.New("connection refused")
	}
	return *s.raw.Load(), nil
}

// remote is a verifier of one type whose keys are served; it is not running.
func remote(t *testing.T, s *served) *Verifier {
	t.Helper()
	cfg := Config{Types: []Type{{Name: "web", JWKSURL: "https://id.example/keys"}}}
	m := NewMetrics(prometheus.NewRegistry())
	v, err := newVerifier(cfg, quiet(), m, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	v.types["web"].source.fetch = s.fetch
	return v
}

// runs starts Run and waits for its end with the test.
func runs(t *testing.T, v *Verifier) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func verify(t *testing.T, v *Verifier, token string) Cause {
	_, err := v.Verify(t.Context(), "", token)
	return CauseOf(err)
}

func TestKeysAreLoadedAndRefreshed(t *testing.T) {
	p := pairs()
	a, b := newPair(t, p.ec, "a"), newPair(t, p.rsa, "b")
	tokenA := sign(t, jwt.SigningMethodES256, a.private, kid("a"), good())
	synctest.Test(t, func(t *testing.T) {
		var s served
		s.set(set(t, a.jwk))
		v := remote(t, &s)
		if v.Ready() == nil || verify(t, v, tokenA) != CauseNoKeys {
			t.Error("ready before anything was loaded")
		}
		stop := runs(t, v)
		synctest.Wait()
		if err := v.Ready(); err != nil {
			t.Error(err)
		}
		if c := verify(t, v, tokenA); c != "" {
			t.Error(c)
		}
		if n := s.fetches.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
		// A withdrawn key is believed until the next look.
		s.set(set(t, b.jwk))
		time.Sleep(8*time.Minute - time.Second)
		if c := verify(t, v, tokenA); c != "" || s.fetches.Load() != 1 {
			t.Errorf("refreshed too early: %q, %d", c, s.fetches.Load())
		}
		time.Sleep(2*time.Minute + 2*time.Second)
		synctest.Wait()
		if c := verify(t, v, tokenA); c != CauseUnknownKey {
			t.Errorf("a withdrawn key: %q", c)
		}
		if n := value(t, v.m.keys.WithLabelValues("web")); n != 1 {
			t.Errorf("%v keys", n)
		}
		stop()
		if c := verify(t, v, sign(t, jwt.SigningMethodRS256, b.private, kid("b"), good())); c != "" {
			t.Errorf("after Run: %q", c)
		}
	})
}

func TestKnownKeysSurviveWhenTheSetIsAway(t *testing.T) {
	a := newPair(t, pairs().ed, "a")
	token := sign(t, jwt.SigningMethodEdDSA, a.private, kid("a"), good())
	for name, broken := range map[string]func(*served){
		"down":    func(s *served) { s.down.Store(true) },
		"slow":    func(s *served) { s.delay.Store(int64(time.Hour)) },
		"garbage": func(s *served) { s.set([]byte("<html>")) },
		"empty":   func(s *served) { s.set([]byte(`{"keys":[]}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s served
				s.set(set(t, a.jwk))
				v := remote(t, &s)
				runs(t, v)
				synctest.Wait()
				broken(&s)
				time.Sleep(24 * time.Hour)
				if c := verify(t, v, token); c != "" || v.Ready() != nil {
					t.Errorf("%q %v", c, v.Ready())
				}
				if n := value(t, v.m.refreshes.WithLabelValues("web", "failed")); n < 100 {
					t.Errorf("%v failures counted", n)
				}
			})
		})
	}
}

func TestAFailedLoadIsTriedAgainSoonerAndSooner(t *testing.T) {
	a := newPair(t, pairs().ed, "a")
	synctest.Test(t, func(t *testing.T) {
		var s served
		s.set(set(t, a.jwk))
		s.down.Store(true)
		v := remote(t, &s)
		runs(t, v)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.fetches.Load(); n < 6 || n > 9 { // after 1, 2, 4, 8, 16 and 32 seconds, up to a fifth less each
			t.Errorf("%d fetches in a minute", n)
		}
		s.down.Store(false)
		time.Sleep(64 * time.Second)
		synctest.Wait()
		if err := v.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnUnknownKeyCausesALoad(t *testing.T) {
	p := pairs()
	a, b := newPair(t, p.ec, "a"), newPair(t, p.rsa, "b")
	tokenB := sign(t, jwt.SigningMethodRS256, b.private, kid("b"), good())
	tokenC := sign(t, jwt.SigningMethodRS256, b.private, kid("c"), good())
	synctest.Test(t, func(t *testing.T) {
		var s served
		s.set(set(t, a.jwk))
		v := remote(t, &s)
		runs(t, v)
		synctest.Wait()

		// Just loaded: the unknown key is refused at once.
		start := time.Now()
		if c := verify(t, v, tokenB); c != CauseUnknownKey || s.fetches.Load() != 1 || time.Since(start) != 0 {
			t.Errorf("%q after %v and %d fetches", c, time.Since(start), s.fetches.Load())
		}

		// Later: many wait for one load, which brings the key.
		time.Sleep(30 * time.Second)
		s.set(set(t, a.jwk, b.jwk))
		s.delay.Store(int64(time.Second))
		got := make(chan Cause, 100)
		for range 100 {
			go func() { got <- verify(t, v, tokenB) }()
		}
		for range 100 {
			if c := <-got; c != "" {
				t.Fatal(c)
			}
		}
		if n := s.fetches.Load(); n != 2 {
			t.Errorf("%d fetches", n)
		}

		// Invented key ids do not cause more than one load per JWKSEvery.
		for range 600 {
			if c := verify(t, v, tokenC); c != CauseUnknownKey {
				t.Fatal(c)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.fetches.Load(); n < 3 || n > 5 {
			t.Errorf("%d fetches after a minute of invented keys", n)
		}
	})
}

func TestWaitingForKeysEnds(t *testing.T) {
	a := newPair(t, pairs().ed, "a")
	token := sign(t, jwt.SigningMethodEdDSA, a.private, kid("b"), good())
	synctest.Test(t, func(t *testing.T) {
		var s served
		s.set(set(t, a.jwk))
		v := remote(t, &s)

		// Nobody would load: no wait.
		start := time.Now()
		if c := verify(t, v, token); c != CauseNoKeys || time.Since(start) != 0 {
			t.Errorf("not running: %q after %v", c, time.Since(start))
		}
		stop := runs(t, v)
		synctest.Wait()
		s.delay.Store(int64(time.Hour))

		time.Sleep(30 * time.Second)
		start = time.Now()
		if c := verify(t, v, token); c != CauseUnknownKey || time.Since(start) != 5*time.Second {
			t.Errorf("slow: %q after %v", c, time.Since(start))
		}

		time.Sleep(10 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := v.Verify(ctx, "", token); CauseOf(err) != CauseUnknownKey || time.Since(start) != time.Second {
			t.Errorf("context: %v after %v", CauseOf(err), time.Since(start))
		}

		time.Sleep(10 * time.Minute)
		done := make(chan Cause)
		go func() { done <- verify(t, v, token) }()
		synctest.Wait()
		start = time.Now()
		stop()
		if c := <-done; c != CauseUnknownKey || time.Since(start) != 0 {
			t.Errorf("stopped: %q after %v", c, time.Since(start))
		}
	})
}

// Who asks just when Run ends is not left waiting.
func TestTheEndOfRunEndsWaits(t *testing.T) {
	src := remote(t, &served{}).types["web"].source
	src.setRunning(true)
	ended := src.ask()
	src.setRunning(false)
	select {
	case <-ended:
	default:
		t.Error("still waiting")
	}
	if src.ask() != nil {
		t.Error("asked although nobody answers")
	}
}

func TestWaitersAreBounded(t *testing.T) {
	a := newPair(t, pairs().ed, "a")
	token := sign(t, jwt.SigningMethodEdDSA, a.private, kid("b"), good())
	synctest.Test(t, func(t *testing.T) {
		var s served
		s.set(set(t, a.jwk))
		v := remote(t, &s)
		runs(t, v)
		synctest.Wait()
		time.Sleep(30 * time.Second)
		s.delay.Store(int64(time.Second))
		src := v.types["web"].source
		var early atomic.Int64
		start := time.Now()
		for range maxWaiting + 10 {
			go func() {
				verify(t, v, token)
				if time.Since(start) == 0 {
					early.Add(1)
				}
			}()
		}
		synctest.Wait()
		if early.Load() != 10 || src.waiting.Load() != maxWaiting {
			t.Errorf("%d did not wait, %d do", early.Load(), src.waiting.Load())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if src.waiting.Load() != 0 {
			t.Errorf("%d still wait", src.waiting.Load())
		}
	})
}

func TestAKeyFileIsReadAgain(t *testing.T) {
	p := pairs()
	a, b := newPair(t, p.ec, "a"), newPair(t, p.rsa, "b")
	var s served
	s.set(set(t, b.jwk))
	v := fromSet(t, set(t, a.jwk))
	if verify(t, v, sign(t, jwt.SigningMethodES256, a.private, kid("a"), good())) != "" {
		t.Error("the file was not read by New")
	}
	v.types["web"].source.fetch = s.fetch
	synctest.Test(t, func(t *testing.T) {
		// The channel of kicks must belong to the bubble.
		v.types["web"].source.kick = make(chan struct{}, 1)
		runs(t, v)
		synctest.Wait()
		if c := verify(t, v, sign(t, jwt.SigningMethodRS256, b.private, kid("b"), good())); c != "" {
			t.Error(c)
		}
	})
}
