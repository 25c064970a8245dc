package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// follower keeps the place in each shard. Everything here belongs to the
// goroutine of Run.
//
//	subscribe -> confirmed -> ask for all positions -> catch up -> live
//	live: message  seq == last+1  hand out
//	               seq <= last    drop, it was handed out
//	               seq >  last+1  read what is between, then hand out
//	      every AnnounceEvery: ask for all positions; what is still not here
//	               after Grace was lost at the tail: read it
//	      epoch differs           tell the gap, go on from the epoch's beginning
type follower struct {
	*Stream
	handle func(Entry)
	marks  []progress
}

// progress is what a shard is measured by.
type progress struct {
	due   uint64    // announced, to be here when Grace is over
	moved time.Time // last message received
}

// follow runs one subscription until it fails or ctx ends.
func (f *follower) follow(ctx context.Context) error {
	r := f.receive(ctx)
	defer r.close()
	timeout := time.NewTimer(f.cfg.Timeout)
	defer timeout.Stop()
	select {
	case <-r.ready:
	case <-r.ended:
		return r.err
	case <-timeout.C:
		return errors.New("subscribe: no confirmation in time")
	case <-ctx.Done():
		return ctx.Err()
	}
	for n := range f.marks {
		f.marks[n] = progress{}
	}
	if err := f.announced(ctx); err != nil {
		return err
	}
	if err := f.fillDue(ctx, 0); err != nil {
		return err
	}
	f.m.sessions.WithLabelValues("open").Inc()
	f.setLive(true)
	return f.live(ctx, r)
}

func (f *follower) live(ctx context.Context, r *receiver) error {
	tick := time.NewTicker(f.cfg.AnnounceEvery)
	defer tick.Stop()
	grace := time.NewTimer(time.Hour)
	grace.Stop()
	defer grace.Stop()
	for {
		select {
		case e := <-r.messages:
			if err := f.message(ctx, e); err != nil {
				return err
			}
		case <-tick.C:
			if err := r.ping(ctx, f.cfg.Timeout); err != nil {
				return err
			}
			if err := f.announced(ctx); err != nil {
				return err
			}
			if f.behind() {
				grace.Reset(f.cfg.Grace)
			}
		case <-grace.C:
			if err := f.fillDue(ctx, f.cfg.Grace); err != nil {
				return err
			}
			if f.behind() {
				grace.Reset(f.cfg.Grace)
			}
		case <-r.ended:
			return r.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// message takes one received message to its place.
func (f *follower) message(ctx context.Context, e Entry) error {
	f.shards[e.Shard].saw(e.Seq)
	f.marks[e.Shard].moved = time.Now()
	p := f.place(e.Shard)
	if e.Epoch > p.Epoch && e.Epoch > p.Seq {
		f.turn(e.Shard, e.Epoch)
		p = f.place(e.Shard)
	}
	if e.Epoch != p.Epoch || e.Seq <= p.Seq {
		f.m.received.WithLabelValues("dup").Inc()
		return nil
	}
	if e.Seq > p.Seq+1 {
		if err := f.fill(ctx, e.Shard, e.Seq-1); err != nil {
			return err
		}
	}
	f.m.received.WithLabelValues("live").Inc()
	f.deliver(e)
	return nil
}

// announced asks for the position of every shard and notes what is due. It
// turns to a new epoch; for a shard that was never followed it starts there.
func (f *follower) announced(ctx context.Context) error {
	positions, err := f.positions(ctx)
	if err != nil {
		return err
	}
	for n, at := range positions {
		p := f.place(n)
		switch {
		case p.Epoch == 0:
			f.setPosition(n, at)
		case at.Epoch > p.Epoch && at.Epoch > p.Seq:
			f.turn(n, at.Epoch)
		}
		f.marks[n].due = at.Seq
	}
	return nil
}

// positions asks Redis. The scripts also compare the run id, so that a restart
// of Redis makes a new epoch within AnnounceEvery even when nobody appends.
func (s *Stream) positions(ctx context.Context) (positions []Position, err error) {
	stop := s.time("position")
	defer func() { stop(err) }()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	call := func(src bool) ([]*redis.Cmd, error) {
		pipe := s.redis.Client().Pipeline()
		cmds := make([]*redis.Cmd, len(s.shards))
		for n := range s.shards {
			sh := &s.shards[n]
			keys := []string{sh.keys.state, sh.keys.marks}
			if src {
				cmds[n] = pipe.Eval(ctx, positionScript.src, keys, true, sh.seen.Load())
			} else {
				cmds[n] = pipe.EvalSha(ctx, positionScript.sha, keys, true, sh.seen.Load())
			}
		}
		_, err := pipe.Exec(ctx)
		return cmds, err
	}
	cmds, err := call(false)
	if isNoScript(err) {
		cmds, err = call(true)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the positions: %w", err)
	}
	positions = make([]Position, len(cmds))
	for n, cmd := range cmds {
		r := readReply(cmd.Val(), 2)
		positions[n] = Position{Epoch: r.uint(0), Seq: r.uint(1)}
		if r.err != nil {
			return nil, fmt.Errorf("ask for the positions: %w", r.err)
		}
		s.shards[n].saw(positions[n].Seq)
	}
	return positions, nil
}

// behind tells whether anything announced is not here.
func (f *follower) behind() bool {
	for n := range f.marks {
		if f.marks[n].due > f.place(n).Seq {
			return true
		}
	}
	return false
}

// fillDue reads what is due and not here, except for shards whose messages came
// in within the last quiet time: they are on their way, and a hole between them
// shows by itself.
func (f *follower) fillDue(ctx context.Context, quiet time.Duration) error {
	for n := range f.marks {
		if f.marks[n].due <= f.place(n).Seq || time.Since(f.marks[n].moved) < quiet {
			continue
		}
		if err := f.fill(ctx, n, f.marks[n].due); err != nil {
			return err
		}
	}
	return nil
}

// turn goes on to a new epoch. What the old one had after the present position
// is unknown, so there is a gap, be it an empty one.
func (f *follower) turn(n int, epoch uint64) {
	p := f.place(n)
	f.m.epochs.Inc()
	f.log.Warn("new epoch", elog.Int("shard", n), elog.Int64("from", int64(p.Epoch)), elog.Int64("to", int64(epoch)), elog.Int64("seq", int64(p.Seq)))
	f.gap(n, p.Seq+1, epoch, id.Target{}, GapEpoch)
	f.setPosition(n, Position{Epoch: epoch, Seq: epoch})
}

func (f *follower) place(n int) Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pos[n]
}

// deliver hands out a message and moves on. The position moves afterwards, so
// that it never tells of what has not been handled.
func (f *follower) deliver(e Entry) {
	f.handle(e)
	f.setPosition(e.Shard, Position{Epoch: e.Epoch, Seq: e.Seq})
}

// gap tells that the messages from and to, and all between, are missing.
func (f *follower) gap(n int, from, to uint64, t id.Target, why GapReason) {
	f.m.gaps.WithLabelValues(string(why)).Inc()
	f.handle(Entry{Shard: n, Epoch: f.place(n).Epoch, Gap: &Gap{From: from, To: to, Target: t, Reason: why}})
}
