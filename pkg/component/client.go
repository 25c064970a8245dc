package component

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Client is a connection to Sluice. It may be used from any number of
// goroutines. Make one per process.
type Client struct {
	o      Options
	cc     *grpc.ClientConn
	rpc    sluicev1.SluiceClient
	budget budget

	closing context.Context // ended by Close
	cancel  context.CancelFunc
}

const (
	dialTimeout      = 10 * time.Second
	keepaliveEvery   = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	backoffBase      = 100 * time.Millisecond
	backoffMax       = 5 * time.Second
)

// Dial connects to WS-API. It waits for the connection, for at most 10 s if ctx
// has no deadline, so that a wrong address is found at start-up; with
// Options.Lazy it does not. A connection that breaks later is renewed in the
// background.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("component: options: %w", err)
	}
	cc, err := grpc.NewClient(o.Address, dialOptions(o)...)
	if err != nil {
		return nil, fmt.Errorf("component: %w", err)
	}
	if !o.Lazy {
		if err := connect(ctx, cc); err != nil {
			_ = cc.Close()
			return nil, fmt.Errorf("component: connect to %s: %w", o.Address, err)
		}
	}
	c := &Client{o: o, cc: cc, rpc: sluicev1.NewSluiceClient(cc), budget: budget{credit: retryCredit}}
	c.closing, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close ends the connection, and with it all calls and subscriptions. Let
// Subscribe return before, or events in hand are delivered again. Closing twice
// is fine.
func (c *Client) Close() error {
	c.cancel()
	_ = c.cc.Close() // only says that it is closed already
	return nil
}

func dialOptions(o Options) []grpc.DialOption {
	creds := insecure.NewCredentials()
	if o.TLS != nil {
		creds = credentials.NewTLS(o.TLS)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithDisableRetry(), // one layer retries, and it is ours
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: backoffBase, Multiplier: 2, Jitter: 0.5, MaxDelay: backoffMax},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(o.MaxMessageBytes), grpc.MaxCallSendMsgSize(o.MaxMessageBytes)),
	}
	if o.Component != "" || o.Token != "" {
		opts = append(opts, grpc.WithPerRPCCredentials(secret{"sluice-component": o.Component, "sluice-token": o.Token}))
	}
	return append(opts, o.DialOptions...)
}

// secret is the metadata that every call carries.
type secret map[string]string

func (s secret) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return s, nil
}

// RequireTransportSecurity is false: whether to encrypt is Options.TLS.
func (secret) RequireTransportSecurity() bool { return false }

// connect waits until the connection is there.
func connect(ctx context.Context, cc *grpc.ClientConn) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dialTimeout)
		defer cancel()
	}
	var last error
	for {
		state := cc.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			cc.Connect()
		case connectivity.TransientFailure:
			last = failure(ctx, cc)
		}
		if !cc.WaitForStateChange(ctx, state) {
			if last != nil {
				return fmt.Errorf("%w: %w", ctx.Err(), last)
			}
			return ctx.Err()
		}
	}
}

// failure asks a connection that has failed why. gRPC tells it only to calls.
func failure(ctx context.Context, cc *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := cc.NewStream(ctx, &grpc.StreamDesc{}, sluicev1.Sluice_GetSocket_FullMethodName)
	return err
}
