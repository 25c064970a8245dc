package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// lockFor is the life of the lock on a sweep. It is prolonged before each page,
// and the calls of a page end before it does.
const (
	lockFor = time.Minute
	lostFor = 10 * time.Second
)

// lockScript takes or prolongs a lock that is free or ours.
const lockScript = `local cur = redis.call('GET', KEYS[1])
if cur and cur ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// unlockScript frees a lock that is ours.
const unlockScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

// sweepLoop looks for dead replicas and sweeps up after them.
func (i *Index) sweepLoop(ctx context.Context, self *local, lost func(context.Context, Client) error) {
	// Since when each has been seen dead, without a failed look in between: after
	// an outage of Redis all leases have run out, and nobody is dead.
	since := make(map[Node]time.Time)
	for sleep(ctx, jitter(i.cfg.RenewEvery)) {
		n, err := i.nodesInTime(ctx)
		if err != nil {
			clear(since)
			continue
		}
		for _, node := range i.overdue(n, self, since) {
			if err := i.sweep(ctx, self, node, lost); err != nil && ctx.Err() == nil {
				i.m.failures.WithLabelValues("sweep").Inc()
				i.log.Warn("sweep interrupted, will be tried again", elog.String("node", node.text()), elog.FieldErr(err))
			}
		}
	}
}

func (i *Index) nodesInTime(ctx context.Context) (*nodes, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	return i.nodes(ctx, 0)
}

// overdue returns the nodes to be swept now: those whose number belongs to
// another process, and those that have been without a lease for SweepGrace.
func (i *Index) overdue(n *nodes, self *local, since map[Node]time.Time) []Node {
	now := i.now()
	dead := make(map[Node]bool)
	var due []Node
	for _, node := range n.dead {
		if node == self.Node {
			continue
		}
		dead[node] = true
		if _, ok := since[node]; !ok {
			since[node] = now
		}
		if n.leased[node.Replica] || now.Sub(since[node]) >= i.cfg.SweepGrace {
			due = append(due, node)
		}
	}
	for node := range since {
		if !dead[node] {
			delete(since, node)
		}
	}
	return due
}

// sweep calls lost for each socket that a dead node has left and removes those
// for which it returned nil. One survivor at a time does it, under a lock.
func (i *Index) sweep(ctx context.Context, self *local, node Node, lost func(context.Context, Client) error) error {
	token := self.text()
	defer i.unlock(ctx, node, token)
	swept, failed := 0, 0
	for {
		mine, err := i.maySweep(ctx, node, token)
		if err != nil || !mine {
			return err
		}
		// Pages are read behind what has failed, for the rest is gone.
		page, err := i.leftBy(ctx, node, failed, 2*i.cfg.SweepWorkers)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		done, firstErr := i.callLost(ctx, page, lost)
		if err := i.dropSwept(ctx, done); err != nil {
			return err
		}
		i.m.swept.Add(float64(len(done)))
		swept += len(done)
		failed += len(page) - len(done)
		if len(done) == 0 || ctx.Err() != nil {
			return firstErr // nothing works at the moment
		}
	}
	i.log.Info("swept up after a dead replica", elog.String("node", node.text()), elog.Int("sockets", swept), elog.Int("failed", failed))
	if failed > 0 {
		return fmt.Errorf("%d sockets of %s could not be reported", failed, node.text())
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	p := i.pipe()
	p.Do(ctx, "zrem", i.keys.nodes(), node.text())
	return p.exec(ctx)
}

// maySweep takes or prolongs the lock, and makes sure that the node is still
// dead: it may have been asleep.
func (i *Index) maySweep(ctx context.Context, node Node, token string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	p := i.pipe()
	lock := p.Do(ctx, "eval", lockScript, 1, i.keys.sweep(node), token, lockFor.Milliseconds())
	lease := p.Get(ctx, i.keys.lease(node.Replica))
	if err := p.exec(ctx); err != nil {
		return false, fmt.Errorf("lock a sweep: %w", err)
	}
	if n, err := lock.Int(); err != nil || n == 0 {
		return false, err
	}
	_, boot, ok := parseLease(lease.Val())
	return !ok || boot != node.Boot, nil
}

func (i *Index) unlock(ctx context.Context, node Node, token string) {
	// Also when the sweep was broken off: somebody else can go on at once.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.Timeout)
	defer cancel()
	p := i.pipe()
	p.Do(ctx, "eval", unlockScript, 1, i.keys.sweep(node), token)
	_ = p.exec(ctx) // it expires
}

// leftBy reads a page of the sockets that a node has left.
func (i *Index) leftBy(ctx context.Context, node Node, offset, size int) ([]Client, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	p := i.pipe()
	cmd := p.ZRangeWithScores(ctx, i.keys.nodeClients(node), int64(offset), int64(offset+size-1))
	if err := p.exec(ctx); err != nil {
		return nil, fmt.Errorf("read what a dead replica left: %w", err)
	}
	var sockets []id.Socket
	var seen []time.Time
	for _, z := range cmd.Val() {
		text, _ := z.Member.(string)
		if s, err := id.ParseSocket(text); err == nil {
			sockets = append(sockets, s)
			seen = append(seen, scoreTime(z.Score))
		}
	}
	records, err := i.records(ctx, sockets)
	if err != nil {
		return nil, fmt.Errorf("read what a dead replica left: %w", err)
	}
	for n := range records {
		records[n].Replica, records[n].Boot, records[n].Seen = node.Replica, node.Boot, seen[n]
	}
	return records, nil
}

// callLost reports the sockets of a page and returns those for which that
// succeeded, and the first error.
func (i *Index) callLost(ctx context.Context, page []Client, lost func(context.Context, Client) error) (done []Client, first error) {
	ctx, cancel := context.WithTimeout(ctx, lostFor)
	defer cancel()
	errs := make([]error, len(page))
	next := make(chan int, len(page))
	for n := range page {
		next <- n
	}
	close(next)
	var wg sync.WaitGroup
	for range min(i.cfg.SweepWorkers, len(page)) {
		wg.Go(func() {
			for n := range next {
				errs[n] = lost(ctx, page[n])
			}
		})
	}
	wg.Wait()
	for n, err := range errs {
		switch {
		case err == nil:
			done = append(done, page[n])
		case first == nil:
			first = err
		}
	}
	return done, first
}

func (i *Index) dropSwept(ctx context.Context, clients []Client) error {
	// The reports have been sent: finish, even while leaving.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.Timeout)
	defer cancel()
	p := i.group.part()
	i.dropLists(p, clients)
	if err := i.group.run(ctx, 0, p); err != nil {
		return fmt.Errorf("remove what a dead replica left: %w", err)
	}
	p.free()
	return nil
}
