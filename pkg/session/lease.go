package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// takeScript takes the lease from whoever has it, because the replica number was
// given to this process last. A process' start is what tells the younger one,
// so it is set later than that of the one before, whatever the clocks say.
const takeScript = `local cur = redis.call('GET', KEYS[1])
local started = tonumber(ARGV[2])
if cur then
  local s, b = string.match(cur, '^(%d+) (.*)$')
  if s and b ~= ARGV[1] and tonumber(s) >= started then started = tonumber(s) + 1 end
end
redis.call('SET', KEYS[1], string.format('%.0f', started) .. ' ' .. ARGV[1], 'PX', ARGV[3])
return string.format('%.0f', started)`

// renewScript prolongs the lease. It returns 1, or 0 when it was gone and is
// here again, or 2 when it belongs to a younger process.
const renewScript = `local cur = redis.call('GET', KEYS[1])
local s, b
if cur then s, b = string.match(cur, '^(%d+) (.*)$') end
if s and b ~= ARGV[1] and tonumber(s) > tonumber(ARGV[2]) then return 2 end
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[1], 'PX', ARGV[3])
if b == ARGV[1] then return 1 end
return 0`

// releaseScript gives the lease back if it is ours.
const releaseScript = `local cur = redis.call('GET', KEYS[1])
if cur and string.match(cur, '^%d+ (.*)$') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

// lease is the state of this process' lease.
//
//	taken -> renewed -> renewed ...
//	             gone, renewed in time:  Redis has lost it        rebuild
//	             gone, renewed too late: others may have swept    rebuild, Fenced
//	             a younger process has it                         ErrSuperseded
type lease struct {
	self    *local
	started string
	renewed time.Time // last success
	runs    string    // run ids of the Redis servers
}

// keepLease takes the lease and renews it until ctx ends.
func (i *Index) keepLease(ctx context.Context, self *local, rebuild chan<- reason) error {
	l := &lease{self: self}
	for {
		err := i.beat(ctx, l, rebuild)
		if errors.Is(err, ErrSuperseded) {
			i.log.Error("another process has the replica number", elog.String("replica", self.Replica.String()))
			return ErrSuperseded
		}
		if err != nil && ctx.Err() == nil {
			i.log.Warn("lease not renewed", elog.FieldErr(err))
		}
		if !sleep(ctx, jitter(i.cfg.RenewEvery)) {
			return nil
		}
	}
}

// beat takes or renews the lease once, and finds out what Redis has lost.
func (i *Index) beat(ctx context.Context, l *lease, rebuild chan<- reason) (err error) {
	stop := i.time("lease")
	defer func() { stop(err) }()
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Timeout)
	defer cancel()
	asked := i.now()
	state, listed, err := i.prolong(ctx, l)
	if err != nil {
		return err
	}
	runs := i.runIDs(ctx)
	restarted := runs != "" && l.runs != "" && runs != l.runs
	late := asked.Round(0).Sub(l.renewed.Round(0)) >= i.cfg.LeaseTTL || asked.Sub(l.renewed) >= i.cfg.LeaseTTL
	first := l.renewed.IsZero()
	switch {
	case state == superseded:
		return ErrSuperseded
	case first:
		ring(rebuild, reasonStart)
	case state == gone && late:
		i.log.Warn("the lease had run out", elog.Duration("after", asked.Sub(l.renewed)))
		ring(rebuild, reasonLapse)
		if f, ok := l.self.truth.(Fenced); ok && !listed && !restarted {
			f.Fenced()
		}
	case state == gone:
		i.log.Warn("redis has lost the lease")
		ring(rebuild, reasonFlush)
	}
	l.renewed = asked
	if restarted {
		i.log.Warn("redis has been restarted or replaced")
		ring(rebuild, reasonRestart)
	}
	if runs != "" {
		l.runs = runs
	}
	return nil
}

// What renewing found.
const (
	gone       = 0
	renewed    = 1
	superseded = 2
)

// prolong takes or renews the lease and keeps this process in the list of
// nodes. listed is false when a survivor has swept it, or is about to.
func (i *Index) prolong(ctx context.Context, l *lease) (state int, listed bool, err error) {
	ttl := i.cfg.LeaseTTL.Milliseconds()
	key := i.keys.lease(l.self.Replica)
	p := i.pipe()
	var cmd *redis.Cmd
	if l.started == "" {
		cmd = p.Do(ctx, "eval", takeScript, 1, key, l.self.Boot, i.version(), ttl)
	} else {
		cmd = p.Do(ctx, "eval", renewScript, 1, key, l.self.Boot, l.started, ttl)
	}
	if err := p.exec(ctx); err != nil {
		return 0, false, fmt.Errorf("renew the lease: %w", err)
	}
	state = renewed
	if l.started == "" {
		if l.started, err = cmd.Text(); err != nil {
			return 0, false, fmt.Errorf("take the lease: %w", err)
		}
	} else if state, err = cmd.Int(); err != nil {
		return 0, false, fmt.Errorf("renew the lease: %w", err)
	}
	if state == superseded {
		return state, false, nil
	}
	p = i.pipe()
	score := p.ZScore(ctx, i.keys.nodes(), l.self.text())
	sweep := p.Exists(ctx, i.keys.sweep(l.self.Node))
	p.enter(ctx, i.keys.nodes(), i.version(), l.self.text())
	p.expire(ctx, i.keys.nodeClients(l.self.Node))
	if err := p.exec(ctx); err != nil {
		return 0, false, fmt.Errorf("list the replica: %w", err)
	}
	return state, score.Err() == nil && sweep.Val() == 0, nil
}

var runID = regexp.MustCompile(`(?m)^run_id:(\w+)`)

// runIDs returns the run ids of all servers that hold keys, or nothing when they
// cannot be told. A server that was started again, or took over, has another
// one, and may have an older state.
func (i *Index) runIDs(ctx context.Context) string {
	var mu sync.Mutex
	var ids []string
	ask := func(ctx context.Context, c *redis.Client) error {
		info, err := c.Info(ctx, "server").Result()
		if err != nil {
			return err
		}
		if found := runID.FindStringSubmatch(info); found != nil {
			mu.Lock()
			ids = append(ids, found[1])
			mu.Unlock()
		}
		return nil
	}
	var err error
	if cluster := i.redis.Cluster(); cluster != nil {
		err = cluster.ForEachMaster(ctx, ask)
	} else {
		err = ask(ctx, i.redis.Stub())
	}
	if err != nil {
		return ""
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// Release ends the lease early, when Run has returned and the sockets are
// closed: the replica does not count as alive any more from now on, instead of
// after LeaseTTL. Sockets that are still in the index are swept by a survivor.
func (i *Index) Release(ctx context.Context, r id.Replica) (err error) {
	stop := i.time("release")
	defer func() { stop(err) }()
	self := i.self.Load()
	if self == nil || self.Replica != r {
		return nil
	}
	p := i.pipe()
	p.Do(ctx, "eval", releaseScript, 1, i.keys.lease(r), self.Boot)
	left := p.ZCard(ctx, i.keys.nodeClients(self.Node))
	if err := p.exec(ctx); err != nil {
		return fmt.Errorf("release the lease: %w", err)
	}
	if left.Val() > 0 {
		return nil
	}
	p = i.pipe()
	p.Do(ctx, "zrem", i.keys.nodes(), self.text())
	if err := p.exec(ctx); err != nil {
		return fmt.Errorf("release the lease: %w", err)
	}
	return nil
}
