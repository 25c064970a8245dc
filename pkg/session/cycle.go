package session

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// refresh writes the times of all sockets once per RefreshEvery, in batches
// spread over that time, and everything at once when a rebuild is asked for.
func (i *Index) refresh(ctx context.Context, self *local, rebuild <-chan reason) {
	w := newWriter(i, self)
	start := time.Now()
	// A key's life is prolonged three times within it. That goes by the clock
	// and not by the number of cycles, which a slow Redis makes long.
	sc := scope{turns: max(1, uint64(i.cfg.TTL/3/i.cfg.RefreshEvery))}
	for ctx.Err() == nil {
		sc.from, sc.to = sc.to, uint64(time.Since(start)/i.cfg.RefreshEvery)
		why := i.cycle(ctx, self, w, sc, rebuild)
		if why == "" {
			continue
		}
		began := time.Now()
		n, err := i.rebuild(ctx, self)
		if err != nil {
			return // ctx has ended
		}
		i.m.rebuilds.WithLabelValues(string(why)).Inc()
		i.m.seconds.WithLabelValues("rebuild").Observe(time.Since(began).Seconds())
		if n > 0 {
			i.log.Info("index rebuilt", elog.String("reason", string(why)), elog.Int("sockets", n), elog.FieldCost(time.Since(began)))
		}
	}
}

// held lists the sockets held now. Those of the same document follow each other,
// so that most of a document is written with one command.
func held(self *local) []id.Socket {
	var sockets []id.Socket
	self.truth.Each(func(s id.Socket) bool {
		sockets = append(sockets, s)
		return true
	})
	type placed struct {
		doc    uint64
		socket id.Socket
	}
	order := make([]placed, len(sockets))
	for n, s := range sockets {
		order[n].socket = s
		if c, ok := self.truth.Lookup(s); ok && len(c.Docs) > 0 {
			order[n].doc = hashOf(string(c.Docs[0]))
		}
	}
	slices.SortFunc(order, func(a, b placed) int { return cmp.Compare(a.doc, b.doc) })
	for n := range order {
		sockets[n] = order[n].socket
	}
	return sockets
}

// cycle refreshes everything once and takes RefreshEvery for it. It returns
// early with a reason when a rebuild is asked for.
func (i *Index) cycle(ctx context.Context, self *local, w *writer, sc scope, rebuild <-chan reason) reason {
	begin, start := i.now(), time.Now()
	batches := split(held(self), i.cfg.Batch)
	pace := i.cfg.RefreshEvery / time.Duration(max(1, len(batches)))
	phase := rand.N(pace)
	for n, batch := range batches {
		// From the start on, so that slow batches do not stretch the cycle.
		if why, on := i.pause(ctx, start.Add(phase+time.Duration(n)*pace), rebuild); !on || why != "" {
			return why
		}
		began := time.Now()
		err := w.write(ctx, batch, sc)
		i.m.seconds.WithLabelValues("refresh").Observe(time.Since(began).Seconds())
		if err != nil && ctx.Err() == nil {
			i.m.failures.WithLabelValues("refresh").Inc()
			i.log.Warn("refresh of the index failed", elog.FieldErr(err))
		}
	}
	if why, on := i.pause(ctx, start.Add(i.cfg.RefreshEvery), rebuild); !on || why != "" {
		return why
	}
	if err := i.dropForgotten(ctx, self, begin.Add(-2*i.cfg.RefreshEvery)); err != nil && ctx.Err() == nil {
		i.log.Warn("check of the index failed", elog.FieldErr(err))
	}
	return ""
}

// pause waits for the time, and tells whether ctx is still on, and why a rebuild
// is asked for if one is.
func (i *Index) pause(ctx context.Context, until time.Time, rebuild <-chan reason) (reason, bool) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return "", true
	case <-ctx.Done():
		return "", false
	case why := <-rebuild:
		return why, true
	case <-i.flood:
		return reasonFlood, true
	}
}

// rebuild writes everything of every socket, several pipelines at a time, and
// does not end before all has been written. It returns the number of sockets,
// or an error when ctx has ended.
func (i *Index) rebuild(ctx context.Context, self *local) (int, error) {
	sockets := held(self)
	todo := split(sockets, i.cfg.Batch)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		todo = i.rebuildBatches(ctx, self, todo)
		if len(todo) == 0 {
			return len(sockets), nil
		}
		if !sleep(ctx, wait/2+rand.N(wait/2)) {
			return 0, ctx.Err()
		}
		// What is too much for a slow Redis to answer in time must become less.
		var halves [][]id.Socket
		for _, b := range todo {
			halves = append(halves, split(b, max(10, (len(b)+1)/2))...)
		}
		todo = halves
	}
}

func split(sockets []id.Socket, size int) [][]id.Socket {
	var batches [][]id.Socket
	for len(sockets) > 0 {
		n := min(size, len(sockets))
		batches = append(batches, sockets[:n])
		sockets = sockets[n:]
	}
	return batches
}

// rebuildBatches writes batches and returns those that failed.
func (i *Index) rebuildBatches(ctx context.Context, self *local, batches [][]id.Socket) (failed [][]id.Socket) {
	todo := make(chan []id.Socket, len(batches))
	for _, b := range batches {
		todo <- b
	}
	close(todo)
	var mu sync.Mutex // guards failed
	var wg sync.WaitGroup
	for range min(i.cfg.RebuildWorkers, len(batches)) {
		wg.Go(func() {
			w := newWriter(i, self)
			for b := range todo {
				if err := w.write(ctx, b, everything); err != nil {
					if ctx.Err() == nil {
						i.m.failures.WithLabelValues("rebuild").Inc()
						i.log.Warn("rebuild of the index is delayed", elog.FieldErr(err))
					}
					mu.Lock()
					failed = append(failed, b)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}
