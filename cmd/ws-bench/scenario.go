package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/pkg/component"
)

// idle tells what a connected socket costs that does nothing.
func idle(ctx context.Context, s settings, c *crowd) error {
	after, err := serverMemory(ctx, s)
	if err != nil {
		return err
	}
	stack, err := metric(ctx, s, "go_memstats_stack_inuse_bytes")
	if err != nil {
		return err
	}
	heap, err := metric(ctx, s, "go_memstats_heap_inuse_bytes")
	if err != nil {
		return err
	}
	fmt.Printf("idle: %.0f bytes resident per socket (%.1f MB before, %.1f MB after; heap in use %.1f MB, stacks %.1f MB)\n",
		(after-c.memoryBefore)/float64(s.sockets), c.memoryBefore/1e6, after/1e6, heap/1e6, stack/1e6)
	return nil
}

func dialAPI(ctx context.Context, s settings) (*component.Client, error) {
	return component.Dial(ctx, component.Options{Address: s.api, Component: s.component, Token: s.token})
}

// latency measures the way from Push to a client, with the clock of one machine.
func latency(ctx context.Context, s settings, c *crowd) error {
	api, err := dialAPI(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // nothing is open on it
	for _, ephemeral := range []bool{false, true} {
		var mu sync.Mutex
		var took []time.Duration
		c.onEvent(func(payload string) {
			if sent, ok := number(payload); ok {
				d := time.Since(time.Unix(0, sent))
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
		pause := time.Duration(float64(time.Second) / s.rate)
		for range s.messages {
			_, err := api.Push(ctx, component.Push{
				Documents: []string{document}, Event: "t", Args: []any{strconv.FormatInt(time.Now().UnixNano(), 10)}, Ephemeral: ephemeral,
			})
			if err != nil {
				return err
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		time.Sleep(2 * time.Second) // the last ones are on their way
		mu.Lock()
		slices.Sort(took)
		fmt.Printf("latency %s: %d of %d received, p50 %v, p99 %v, p99.9 %v\n", kind(ephemeral), len(took), s.messages*s.sockets,
			at(took, .5), at(took, .99), at(took, .999))
		mu.Unlock()
	}
	return nil
}

func kind(ephemeral bool) string {
	if ephemeral {
		return "ephemeral"
	}
	return "durable"
}

func at(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)].Round(10 * time.Microsecond)
}

// number reads the text argument of 42["t","123"].
func number(payload string) (int64, bool) {
	_, rest, found := strings.Cut(payload, `,"`)
	if !found {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, `"`)
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// fanout pushes as fast as the API takes it and tells what a delivery costs
// the gateway.
func fanout(ctx context.Context, s settings, c *crowd) error {
	api, err := dialAPI(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // nothing is open on it
	var received atomic.Int64
	c.onEvent(func(string) { received.Add(1) })
	before, err := metric(ctx, s, "process_cpu_seconds_total")
	if err != nil {
		return err
	}
	start := time.Now()
	payload := strings.Repeat("x", 480)
	for range s.messages {
		if _, err := api.Push(ctx, component.Push{Documents: []string{document}, Event: "f", Args: []any{payload}}); err != nil {
			return err
		}
	}
	want := int64(s.messages * s.sockets)
	for deadline := time.Now().Add(time.Minute); received.Load() < want && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(start)
	after, err := metric(ctx, s, "process_cpu_seconds_total")
	if err != nil {
		return err
	}
	fmt.Printf("fanout: %d of %d received in %v, %.0f per CPU second of the gateway, %.1f µs each\n", received.Load(), want,
		took.Round(time.Millisecond), float64(received.Load())/(after-before), (after-before)*1e6/float64(received.Load()))
	return nil
}
