package echo

import (
	"context"
	"fmt"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
)

// Options says where WS-API is, and who this is. All fields are needed.
type Options struct {
	Address   string // host:port
	Component string // the name under which WS-API knows it
	Token     string
	Log       *elog.Component
}

// workers is how many sockets are answered at the same time. A suite has more
// of them than an ordinary component has handlers that wait.
const workers = 64

// Run echoes until ctx ends, and then returns nil. A WS-API that is not there
// yet, or goes away, is waited for. It returns an error when the credentials
// are refused: no wait mends that.
func Run(ctx context.Context, o Options) error {
	c, err := component.Dial(ctx, component.Options{
		Address: o.Address, Component: o.Component, Token: o.Token,
		Lazy:    true, // Subscribe waits for the API
		Workers: workers, HandlerTimeout: 2 * maxBurst * time.Millisecond,
		OnError: func(err error) { o.Log.Warn("subscription of the echo", elog.FieldErr(err)) },
	})
	if err != nil {
		return fmt.Errorf("echo component: %w", err)
	}
	defer func() { _ = c.Close() }() // everything has been answered by then
	e := &echo{sluice: c, log: o.Log}
	if err := c.Subscribe(ctx, e.handler()); err != nil {
		return fmt.Errorf("echo component: %w", err)
	}
	return nil
}
