package component

import "context"

// Handler handles one event. Nil acknowledges it, an error has it delivered
// again, a bounded number of times. The context ends after
// Options.HandlerTimeout and carries the event's trace.
type Handler func(ctx context.Context, e *Event) error

// Subscribe receives the events that Sluice is configured to send to this
// component, until ctx ends; then it takes no more, waits for running handlers
// (at most Options.Drain), acknowledges what they did and returns nil. When the
// connection breaks it subscribes again, for as long as it takes. It returns an
// error only for what time does not mend: refused credentials, or handlers that
// ignore the end of their contexts (ErrHandlers).
//
// Events of one socket are handled one at a time and in order, those of
// different sockets by Options.Workers goroutines. What was received and not
// handled when a connection broke is delivered again.
func (c *Client) Subscribe(ctx context.Context, h Handler) error { return ErrClosed }
