package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"
)

// receiver reads one subscription in a goroutine of its own. go-redis' channel
// would drop messages when its reader is slow; here a slow reader makes Redis
// wait, and Redis ends the subscription when that takes too long.
type receiver struct {
	sub      *redis.PubSub
	messages chan Entry
	ready    chan struct{} // closed when all channels are subscribed
	ended    chan struct{} // closed when the goroutine has ended; err is set then
	stop     chan struct{}
	heard    atomic.Int64 // Unix nanoseconds of the last thing received
	asked    time.Time    // last ping; owned by the goroutine of Run
	err      error
}

// errSilent: the connection gave no sign of life although it was asked for one.
var errSilent = errors.New("the subscription is silent")

// receive subscribes and starts to read. The caller must close the receiver.
func (s *Stream) receive(ctx context.Context) *receiver {
	r := &receiver{
		sub:      s.subscribe(ctx),
		messages: make(chan Entry, s.cfg.Buffer),
		ready:    make(chan struct{}),
		ended:    make(chan struct{}),
		stop:     make(chan struct{}),
	}
	r.heard.Store(time.Now().UnixNano())
	shards := make(map[string]int, len(s.shards))
	for n := range s.shards {
		shards[s.shards[n].keys.channel] = n
	}
	go func() {
		defer close(r.ended)
		r.err = r.loop(ctx, shards, s.m)
	}()
	return r
}

func (r *receiver) loop(ctx context.Context, shards map[string]int, m *Metrics) error {
	missing := len(shards)
	for {
		v, err := r.sub.Receive(ctx)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		r.heard.Store(time.Now().UnixNano())
		switch v := v.(type) {
		case *redis.Subscription:
			if missing--; missing == 0 {
				close(r.ready)
			}
		case *redis.Message:
			e, err := parseMessage(shards[v.Channel], v.Payload)
			if err != nil {
				m.received.WithLabelValues("bad").Inc()
				continue
			}
			select {
			case r.messages <- e:
			case <-r.stop:
				return nil
			}
			r.heard.Store(time.Now().UnixNano())
		}
	}
}

// ping asks for a sign of life, or finds that an earlier question was not
// answered in time. It does not count while messages wait for the handler, for
// then nothing may be read.
func (r *receiver) ping(ctx context.Context, patience time.Duration) error {
	if r.asked.IsZero() || r.heard.Load() > r.asked.UnixNano() {
		r.asked = time.Now()
		if err := r.sub.Ping(ctx); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		return nil
	}
	if len(r.messages) == 0 && time.Since(r.asked) > patience {
		return errSilent
	}
	return nil
}

// close ends the subscription and waits for the goroutine.
func (r *receiver) close() {
	close(r.stop)
	_ = r.sub.Close() // makes Receive return
	<-r.ended
}
