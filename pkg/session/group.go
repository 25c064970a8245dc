package session

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/gotomicro/ego-component/eredis"
)

// ErrBusy is returned when more changes wait for Redis than Config.GroupQueue
// allows. As after any other error, Run repairs the entries.
var ErrBusy = errors.New("too many operations wait for redis")

// group commits what many callers have for Redis in shared pipelines. Each lane
// has one under way; what comes meanwhile goes with the next one. So a lone
// caller is not delayed, and a thousand at once cost a few round trips:
//
//	caller   queue, wait ................. answer
//	lane           take all -> pipeline -> answer each -> take all -> ...
type group struct {
	redis *eredis.Component
	cfg   Config
	m     *Metrics
	ttl   any // ms; boxed once for all commands
	lanes []lane
}

// lane is one pipeline after the other. Its goroutine is there while there is
// something to send.
type lane struct {
	g *group

	mu    sync.Mutex // guards all below
	idle  sync.Cond
	queue []*part
	first int // of the queue that was not taken
	ops   int // weight of those that wait
	busy  bool

	convoy convoy // the goroutine's own
}

func newGroup(cfg Config, redis *eredis.Component, m *Metrics) *group {
	g := &group{redis: redis, cfg: cfg, m: m, ttl: cfg.TTL.Milliseconds(), lanes: make([]lane, cfg.GroupLanes)}
	for n := range g.lanes {
		l := &g.lanes[n]
		l.g, l.idle.L = g, &l.mu
	}
	return g
}

// run sends p in a shared pipeline and returns the first error of its commands.
// Those of one socket, or of one user, go through the same lane, named by hash.
// An error may mean that nothing was written, or everything. Unless run returns
// nil, the part is lost to its caller; after that, it must be freed.
func (g *group) run(ctx context.Context, hash uint64, p *part) error {
	if len(p.cmds)+len(p.entries) == 0 {
		return nil
	}
	late := p.patience(ctx)
	l := &g.lanes[hash%uint64(len(g.lanes))]
	err := l.put(p)
	if err != nil {
		return err
	}
	select {
	case err = <-p.done:
		if late != nil {
			p.late.Stop()
		}
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-late:
		err = context.DeadlineExceeded
	}
	// What has not been taken is not written any more. What has been taken is the
	// lane's for as long as it likes.
	p.state.CompareAndSwap(partQueued, partLeft)
	return err
}

// patience notes when the caller gives up. A context that ends by its deadline alone,
// and has no channel that says so, is what a gateway comes with: its timer is the
// part's, and used again.
func (p *part) patience(ctx context.Context) <-chan time.Time {
	var ends bool
	if p.until, ends = ctx.Deadline(); !ends || ctx.Done() != nil {
		return nil
	}
	if p.late == nil {
		p.late = time.NewTimer(time.Until(p.until))
	} else {
		p.late.Reset(time.Until(p.until))
	}
	return p.late.C
}

func (l *lane) put(p *part) error {
	l.mu.Lock()
	if l.ops+p.weight > l.g.cfg.GroupQueue && l.ops > 0 {
		l.mu.Unlock()
		l.g.m.groupRefused.Inc()
		return ErrBusy
	}
	l.queue = append(l.queue, p)
	l.ops += p.weight
	start := !l.busy
	l.busy = true
	l.mu.Unlock()
	l.g.m.groupWaiting.Add(float64(p.weight))
	if start {
		go l.send()
	}
	return nil
}

// send empties the queue. It ends: callers wait no longer than their contexts,
// and each pipeline no longer than Config.Timeout.
func (l *lane) send() {
	for {
		// Everybody who can run now, and has something for Redis, gets in.
		runtime.Gosched()
		if !l.take() {
			return
		}
		l.convoy.send(l.g)
	}
}

// take moves what may share one pipeline to the convoy. When there is nothing,
// the lane is idle, and false is returned.
func (l *lane) take() bool {
	c := &l.convoy
	ops, bytes, left := 0, 0, 0
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; l.first < len(l.queue); l.first++ {
		p := l.queue[l.first]
		if len(c.parts) > 0 && (ops+p.weight > l.g.cfg.GroupMost || bytes+p.bytes > l.g.cfg.GroupBytes) {
			break
		}
		l.queue[l.first] = nil
		if !p.state.CompareAndSwap(partQueued, partTaken) {
			left += p.weight
			continue
		}
		c.parts = append(c.parts, p)
		ops, bytes = ops+p.weight, bytes+p.bytes
	}
	if l.first == len(l.queue) {
		l.queue, l.first = l.queue[:0], 0
	}
	l.ops -= ops + left
	l.g.m.groupWaiting.Sub(float64(ops + left))
	if len(c.parts) == 0 {
		l.busy = false
		l.idle.Broadcast()
		return false
	}
	l.g.m.groupSize.Observe(float64(ops))
	return true
}

// wait returns when nothing is under way.
func (g *group) wait() {
	for n := range g.lanes {
		l := &g.lanes[n]
		l.mu.Lock()
		for l.busy {
			l.idle.Wait()
		}
		l.mu.Unlock()
	}
}
