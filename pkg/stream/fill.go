package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// fillPage is how many messages are read at once to fill a gap. With the
// largest bodies allowed it is what a process must be able to hold.
const fillPage = 32

// ref is a line of a shard's log: the message with this sequence went there.
type ref struct {
	seq    uint64
	target id.Target
	mid    id.Message
}

// fill reads and hands out everything after the present position up to the
// sequence to, from the shard's log and the streams it refers to. Each step is
// bounded by fillPage. An error means that Redis could not be asked; what was
// handed out until then stays handed out.
func (f *follower) fill(ctx context.Context, n int, to uint64) error {
	f.log.Info("filling a gap", elog.Int("shard", n), elog.Int64("from", int64(f.place(n).Seq+1)), elog.Int64("to", int64(to)))
	for f.place(n).Seq < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := f.readPage(ctx, n, f.place(n).Seq+1, to)
		if err != nil {
			return fmt.Errorf("fill a gap of shard %d: %w", n, err)
		}
		for _, e := range page {
			p := f.place(n)
			if e.Seq > p.Seq+1 {
				f.gap(n, p.Seq+1, e.Seq-1, id.Target{}, GapTrimmed)
			}
			if e.Gap != nil {
				f.gap(n, e.Seq, e.Seq, e.Target, GapTrimmed)
				f.setPosition(n, Position{Epoch: p.Epoch, Seq: e.Seq})
				continue
			}
			e.Epoch = p.Epoch
			f.m.received.WithLabelValues("filled").Inc()
			f.deliver(e)
		}
		if len(page) < fillPage {
			if p := f.place(n); p.Seq < to {
				f.gap(n, p.Seq+1, to, id.Target{}, GapTrimmed)
				f.setPosition(n, Position{Epoch: p.Epoch, Seq: to})
			}
		}
	}
	return nil
}

// readPage reads the first messages of a range, at most fillPage. A message
// whose body is gone has a Gap. What the log does not have is not in the page.
func (f *follower) readPage(ctx context.Context, n int, from, to uint64) (page []Entry, err error) {
	stop := f.time("fill")
	defer func() { stop(err) }()
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	keys := &f.shards[n].keys
	lines, err := f.redis.Client().XRangeN(ctx, keys.log, entryID(from), entryID(to), fillPage).Result()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, nil
	}
	pipe := f.redis.Client().Pipeline()
	refs := make([]ref, len(lines))
	cmds := make([]*redis.XMessageSliceCmd, len(lines))
	for i, line := range lines {
		if refs[i], err = parseRef(line); err != nil {
			return nil, err
		}
		at := entryID(refs[i].seq)
		cmds[i] = pipe.XRange(ctx, keys.stream(refs[i].target.String()), at, at)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	page = make([]Entry, len(refs))
	for i, ref := range refs {
		page[i] = Entry{Shard: n, Seq: ref.seq, Target: ref.target, Mid: ref.mid}
		if found := cmds[i].Val(); len(found) == 1 {
			body, _ := found[0].Values["b"].(string)
			page[i].Body = []byte(body)
		} else {
			page[i].Gap = &Gap{}
		}
	}
	return page, nil
}

func parseRef(line redis.XMessage) (ref, error) {
	target, _ := line.Values["t"].(string)
	mid, _ := line.Values["m"].(string)
	var r ref
	var errs [3]error
	r.seq, errs[0] = parseEntryID(line.ID)
	r.target, errs[1] = id.ParseTarget(target)
	r.mid, errs[2] = id.ParseMessage(mid)
	return r, errors.Join(errs[:]...)
}
