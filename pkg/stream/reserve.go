package stream

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"sluice/pkg/id"
)

// Reserve takes the idempotency key of a push before it is published. digest is
// that of the content, mid the message id to use if the key is new. Publish with
// the mid returned when the state is Fresh or Pending, then call Done: however
// often this is repeated, the streams deliver the mid once. The key is
// remembered for Config.KeyFor from the first Reserve, and again from Done.
func (s *Stream) Reserve(ctx context.Context, component, key string, digest [32]byte, mid id.Message) (Reservation, error) {
	stop := s.time("reserve")
	v, err := reserveScript.run(ctx, s.redis.Client(), []string{s.reservation(component, key)},
		mid.String(), hex.EncodeToString(digest[:]), s.cfg.KeyFor.Milliseconds()).Result()
	stop(err)
	if err != nil {
		return Reservation{}, fmt.Errorf("reserve an idempotency key: %w", err)
	}
	r := readReply(v, 2)
	state := State(r.uint(0))
	known, midErr := id.ParseMessage(r.text(1))
	if r.err != nil {
		return Reservation{}, fmt.Errorf("reserve an idempotency key: %w", r.err)
	}
	if midErr != nil {
		return Reservation{}, fmt.Errorf("reserve an idempotency key: %w", midErr)
	}
	s.m.keys.WithLabelValues(state.String()).Inc()
	return Reservation{Mid: known, State: state}, nil
}

// Done reports that the push with a reserved key was accepted: from now on the
// same push is answered without publishing it. It is no error when the key is
// no longer known.
func (s *Stream) Done(ctx context.Context, component, key string) error {
	stop := s.time("done")
	err := doneScript.run(ctx, s.redis.Client(), []string{s.reservation(component, key)}, s.cfg.KeyFor.Milliseconds()).Err()
	stop(err)
	if err != nil {
		return fmt.Errorf("complete an idempotency key: %w", err)
	}
	return nil
}

// reservation spreads the keys over the shards' slots.
func (s *Stream) reservation(component, key string) string {
	sum := idempotency(component, key)
	n := binary.BigEndian.Uint64(sum[16:]) % uint64(len(s.shards))
	return s.shards[n].keys.reservation(sum)
}
