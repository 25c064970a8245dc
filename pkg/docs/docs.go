package docs

import (
	"context"
	"fmt"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
)

// Component is the name under which WS-API must know the example.
const Component = "docs"

// Options says where WS-API is. All fields are needed.
type Options struct {
	Address string // host:port
	Token   string // the secret of Component
	Log     *elog.Component
}

// Run answers the page's events until ctx ends, and then returns nil. A WS-API
// that is not there yet, or goes away, is waited for. It returns an error when
// the credentials are refused: no wait mends that.
func Run(ctx context.Context, o Options) error {
	c, err := component.Dial(ctx, component.Options{
		Address: o.Address, Component: Component, Token: o.Token,
		Lazy: true, // Subscribe waits for the API
		OnError: func(err error) {
			o.Log.Warn("subscription of the example", elog.FieldErr(err))
		},
	})
	if err != nil {
		return fmt.Errorf("example component: %w", err)
	}
	defer func() { _ = c.Close() }() // everything has been answered by then
	if err := c.Subscribe(ctx, newLibrary(c, o.Log).handler()); err != nil {
		return fmt.Errorf("example component: %w", err)
	}
	return nil
}
