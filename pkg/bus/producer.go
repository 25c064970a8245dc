package bus

import (
	"context"
)

// Producer writes records with acks from all in-sync replicas. It works while Run does.
// All methods may be called at once from any goroutine.
type Producer struct{}

// Run works until ctx ends, then takes no more, writes what it has, each record for as
// long as its age allows, closes its connections and returns nil. It ends at most
// MaxAge and WriteTimeout after ctx.
func (p *Producer) Run(ctx context.Context) error { return nil }

// Publish writes rec and returns after Kafka has acknowledged it. With the end of ctx,
// and with ErrTimeout, the outcome is unknown. ErrFull, ErrTooLarge, ErrTopic and
// ErrClosed mean that nothing was written.
func (p *Producer) Publish(ctx context.Context, rec Record) error { return nil }

// Enqueue takes rec and returns at once; done is called exactly once, later, with what
// Publish would have returned. When Enqueue itself returns an error, nothing was taken
// and done is never called. done runs on a goroutine that writes: it must neither block
// nor call Publish or Flush.
func (p *Producer) Enqueue(rec Record, done func(error)) error { return nil }

// Flush returns when everything taken before the call has been settled, or with the
// error of ctx.
func (p *Producer) Flush(ctx context.Context) error { return nil }

// Buffered returns what has been taken and not yet settled.
func (p *Producer) Buffered() (records int, bytes int64) { return 0, 0 }
