package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"sluice/pkg/id"
)

// Read returns all messages to a target after the sequence after of the given
// epoch. Use it for a client that comes back with the position it had reached.
// The answer is complete or an error: ErrEpoch or ErrTrimmed when it cannot be
// proven that nothing is missing, others when Redis could not be asked. It is
// bounded by Config.MaxEntries and Config.MaxBytes.
//
// To go on live without a hole, be subscribed first, then Read, then deliver
// what was received with a sequence above History.Seq.
func (s *Stream) Read(ctx context.Context, t id.Target, epoch, after uint64) (h History, err error) {
	stop := s.time("read")
	defer func() { stop(err) }()
	n := s.ShardOf(t)
	sh := &s.shards[n]
	target := t.String()
	keys := []string{sh.keys.state, sh.keys.marks, sh.keys.stream(target), sh.keys.meta(target)}
	v, err := readScript.run(ctx, s.redis.Client(), keys,
		true, sh.seen.Load(), epoch, after, s.cfg.Remember.Milliseconds()).Result()
	if err != nil {
		return History{}, fmt.Errorf("read shard %d: %w", n, err)
	}
	r := readReply(v, 3)
	word := r.text(0)
	h = History{Shard: n, Epoch: r.uint(1), Seq: r.uint(2)}
	if r.err != nil {
		return History{}, fmt.Errorf("read shard %d: %w", n, r.err)
	}
	sh.saw(h.Seq)
	switch word {
	case "epoch":
		return h, ErrEpoch
	case "trimmed":
		return h, ErrTrimmed
	}
	if len(r.fields) < 4 {
		return History{}, fmt.Errorf("read shard %d: no entries in the reply of a script", n)
	}
	for _, raw := range r.list(3) {
		entry := readReply(raw, 2)
		seq, seqErr := parseEntryID(entry.text(0))
		fields := readReply(entry.list(1), 4)
		mid, midErr := id.ParseMessage(fields.text(1))
		body := fields.text(3)
		for _, err := range []error{entry.err, seqErr, fields.err, midErr} {
			if err != nil {
				return History{}, fmt.Errorf("read shard %d: %w", n, err)
			}
		}
		h.Entries = append(h.Entries, Entry{Shard: n, Epoch: h.Epoch, Seq: seq, Target: t, Mid: mid, Body: []byte(body)})
	}
	if r.err != nil {
		return History{}, fmt.Errorf("read shard %d: %w", n, r.err)
	}
	return h, nil
}

// entryID is the id of a sequence in Redis' streams.
func entryID(seq uint64) string { return strconv.FormatUint(seq, 10) + "-0" }

func parseEntryID(text string) (uint64, error) {
	seq, _, _ := strings.Cut(text, "-")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("not the id of an entry: %w", err)
	}
	return n, nil
}
