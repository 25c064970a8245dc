package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/gotomicro/ego/core/elog"
)

// maxWaiting bounds the verifications that wait for one fetch.
const maxWaiting = 1024

// source keeps the keys of one auth type. What was loaded last stays in use until
// something better is loaded, however long that takes.
type source struct {
	name       string
	algorithms []string
	fetch      fetcher
	refresh    time.Duration // between two loads
	timeout    time.Duration // of one load, and of waiting for it
	every      time.Duration // at least between two loads that were asked for
	log        *elog.Component
	m          *Metrics

	storage *jwkset.MemoryJWKSet
	keys    keyfunc.Keyfunc
	loaded  atomic.Bool
	version atomic.Uint64 // changes with the set, after the keys
	waiting atomic.Int64
	kick    chan struct{}     // of capacity 1: load now
	sum     [sha256.Size]byte // of the set; the loader's own

	mu      sync.Mutex    // guards what follows
	running bool          // run will answer kicks
	ended   chan struct{} // closed when the load that was asked for has ended; nil when none was
	next    time.Time     // the next load may be asked for from then on
}

func newSource(t Type, fetch fetcher, log *elog.Component, m *Metrics) (*source, error) {
	s := &source{
		name: t.Name, algorithms: t.Algorithms, fetch: fetch,
		refresh: t.JWKSRefresh, timeout: t.JWKSTimeout, every: t.JWKSEvery,
		log: log, m: m,
		storage: jwkset.NewMemoryStorage(),
		kick:    make(chan struct{}, 1),
	}
	var err error
	s.keys, err = keyfunc.New(keyfunc.Options{Storage: s.storage})
	m.loadedAt.WithLabelValues(t.Name).Set(0)
	return s, err
}

// load fetches the set once and puts it to use.
func (s *source) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	raw, err := s.fetch(ctx)
	if err != nil {
		return err
	}
	keys, err := parseKeys(raw, s.algorithms)
	if err != nil {
		return err
	}
	if err := s.storage.KeyReplaceAll(ctx, keys); err != nil {
		return err
	}
	if sum := sha256.Sum256(raw); sum != s.sum {
		s.sum = sum
		s.version.Add(1)
	}
	s.loaded.Store(true)
	s.m.keys.WithLabelValues(s.name).Set(float64(len(keys)))
	s.m.loadedAt.WithLabelValues(s.name).SetToCurrentTime()
	return nil
}

// run loads at once, then every refresh, and when asked. After a failure it tries
// again sooner: after a second, then twice as late each time.
func (s *source) run(ctx context.Context) {
	s.setRunning(true)
	defer s.setRunning(false)
	timer := time.NewTimer(0)
	defer timer.Stop()
	retry := time.Second
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.kick:
		}
		err := s.load(ctx)
		s.settle()
		if ctx.Err() != nil {
			return
		}
		wait := s.refresh
		if err != nil {
			s.m.refreshes.WithLabelValues(s.name, "failed").Inc()
			s.log.Warn("cannot load the JWK set", elog.String("type", s.name), elog.FieldErr(err))
			wait, retry = min(retry, s.refresh), min(2*retry, s.refresh)
		} else {
			s.m.refreshes.WithLabelValues(s.name, "ok").Inc()
			retry = time.Second
		}
		timer.Reset(wait - time.Duration(rand.Int64N(int64(wait/5)+1))) // replicas do not ask in step
	}
}

// settle tells those who wait that a load has ended.
func (s *source) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = time.Now().Add(s.every)
	if s.ended != nil {
		close(s.ended)
		s.ended = nil
	}
}

func (s *source) setRunning(yes bool) {
	s.mu.Lock()
	s.running = yes
	s.mu.Unlock()
	if !yes {
		s.settle()
	}
}

// ask wants a load and gives a channel that is closed when it has ended; nil when
// the last one was too recently, or nobody would answer.
func (s *source) ask() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	if !s.running || time.Now().Before(s.next) {
		return nil
	}
	s.ended = make(chan struct{})
	select {
	case s.kick <- struct{}{}:
	default: // one is on its way
	}
	return s.ended
}

// renewed asks for a load and waits for it, not longer than the timeout of one. It
// tells whether keys may have changed.
func (s *source) renewed(ctx context.Context) bool {
	ended := s.ask()
	if ended == nil {
		return false
	}
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		return false
	}
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// loadNow is for sources that need no network, before run has started.
func (s *source) loadNow() error {
	if err := s.load(context.Background()); err != nil {
		return fmt.Errorf("cannot load the JWK set: %w", err)
	}
	return nil
}
