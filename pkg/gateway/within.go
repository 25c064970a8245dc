package gateway

import (
	"context"
	"time"
)

// within returns a context that ends by its deadline and in no other way: it has no
// channel that says so. Those of package context cost a timer and four allocations,
// and a connect needs three that hardly ever end. Whoever waits with it looks at the
// deadline; package session and package auth do.
func within(d time.Duration) context.Context {
	return deadline{context.Background(), time.Now().Add(d)}
}

type deadline struct {
	context.Context
	at time.Time
}

func (d deadline) Deadline() (time.Time, bool) { return d.at, true }

func (d deadline) Err() error {
	if time.Now().Before(d.at) {
		return nil
	}
	return context.DeadlineExceeded
}
