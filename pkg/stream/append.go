package stream

import (
	"context"
	"fmt"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// Bounds of one pipeline of AppendMany. Its answers must all be here within the
// client's read timeout, also from a Redis that is busy.
const (
	chunkItems = 128
	chunkBytes = 4 << 20
)

// Append adds one message to the history of its target and broadcasts it. It
// does so once for each pair of target and mid within Config.Window: dup tells
// that it had been appended before, and e is where; its epoch is 0 when that
// was in an epoch that is over. The client repeats a call whose answer was lost,
// so dup may be true at the first try. After an error the outcome is unknown;
// append again. body is not kept.
func (s *Stream) Append(ctx context.Context, t id.Target, mid id.Message, body []byte) (e Entry, dup bool, err error) {
	stop := s.time("append")
	item := Item{Target: t, Mid: mid, Body: body}
	n := s.ShardOf(t)
	keys, args := s.appendCall(n, &item, true)
	e, dup, err = s.appended(n, &item, appendScript.run(ctx, s.redis.Client(), keys, args...))
	stop(err)
	return e, dup, err
}

// AppendMany appends the items in the order given, in few round trips, and
// returns a Result for each. It stops after the pipeline in which one failed;
// the items not tried have that error too. So the first error of a target is
// followed by no success of the same target, unless Redis refused that single
// item.
func (s *Stream) AppendMany(ctx context.Context, items []Item) []Result {
	results := make([]Result, len(items))
	for from := 0; from < len(items); {
		to, bytes := from, 0
		for to < len(items) && to-from < chunkItems && (to == from || bytes+len(items[to].Body) <= chunkBytes) {
			bytes += len(items[to].Body)
			to++
		}
		if err := s.appendChunk(ctx, items[from:to], results[from:to]); err != nil {
			for ; to < len(items); to++ {
				results[to].Err = err
			}
			return results
		}
		from = to
	}
	return results
}

// appendChunk fills in the results of one pipeline and returns its first error.
func (s *Stream) appendChunk(ctx context.Context, items []Item, results []Result) error {
	if len(items) == 1 {
		r := &results[0]
		r.Entry, r.Dup, r.Err = s.Append(ctx, items[0].Target, items[0].Mid, items[0].Body)
		return r.Err
	}
	stop := s.time("append_many")
	pipe := s.redis.Client().Pipeline()
	cmds := make([]*redis.Cmd, len(items))
	opened := make([]bool, len(s.shards))
	for i := range items {
		n := s.ShardOf(items[i].Target)
		keys, args := s.appendCall(n, &items[i], !opened[n])
		// The first call of a shard brings the script along: were it missing,
		// and were it loaded by somebody else half-way, the order would break.
		// It also looks at the run id for all of them, because a pipeline
		// does not outlive its connection.
		if !opened[n] {
			opened[n] = true
			cmds[i] = pipe.Eval(ctx, appendScript.src, keys, args...)
		} else {
			cmds[i] = pipe.EvalSha(ctx, appendScript.sha, keys, args...)
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var first error
	for i := range items {
		r := &results[i]
		r.Entry, r.Dup, r.Err = s.appended(s.ShardOf(items[i].Target), &items[i], cmds[i])
		if r.Err != nil && first == nil {
			first = r.Err
		}
	}
	stop(first)
	return first
}

// appendCall returns the keys and arguments of the append script.
func (s *Stream) appendCall(n int, item *Item, check bool) ([]string, []any) {
	sh := &s.shards[n]
	target := item.Target.String()
	keys := []string{sh.keys.state, sh.keys.marks, sh.keys.log, sh.keys.stream(target), sh.keys.mids(target), sh.keys.meta(target)}
	args := []any{
		check, sh.seen.Load(), target, item.Mid.String(), item.Body, sh.keys.channel,
		s.cfg.MaxEntries, s.cfg.MaxBytes, s.cfg.Window.Milliseconds(), s.cfg.Remember.Milliseconds(), s.cfg.LogEntries,
	}
	return keys, args
}

// appended reads the answer to an append.
func (s *Stream) appended(n int, item *Item, cmd *redis.Cmd) (Entry, bool, error) {
	v, err := cmd.Result()
	if err != nil {
		return Entry{}, false, fmt.Errorf("append to shard %d: %w", n, err)
	}
	r := readReply(v, 3)
	dup, epoch, seq := r.uint(0) == 1, r.uint(1), r.uint(2)
	if r.err != nil {
		return Entry{}, false, fmt.Errorf("append to shard %d: %w", n, r.err)
	}
	s.shards[n].saw(seq)
	if dup {
		s.m.appended.WithLabelValues("dup").Inc()
		if seq <= epoch {
			epoch = 0
		}
	} else {
		s.m.appended.WithLabelValues("new").Inc()
	}
	return Entry{Shard: n, Epoch: epoch, Seq: seq, Target: item.Target, Mid: item.Mid, Body: item.Body}, dup, nil
}
