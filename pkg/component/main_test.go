package component

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// fake is a server made of functions; what is not set is Unimplemented.
type fake struct {
	sluicev1.UnimplementedSluiceServer

	push        func(context.Context, *sluicev1.PushRequest) (*sluicev1.PushResponse, error)
	pushStream  func(grpc.ClientStreamingServer[sluicev1.PushRequest, sluicev1.PushStreamResponse]) error
	call        func(context.Context, *sluicev1.CallRequest) (*sluicev1.CallResponse, error)
	join        func(*sluicev1.JoinRequest) (*sluicev1.JoinResponse, error)
	leave       func(*sluicev1.LeaveRequest) (*sluicev1.LeaveResponse, error)
	kick        func(*sluicev1.KickRequest) (*sluicev1.KickResponse, error)
	getSocket   func(context.Context, *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error)
	listSockets func(*sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error)
	count       func(*sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error)
	revoke      func(*sluicev1.RevokeRequest) (*sluicev1.RevokeResponse, error)
	reply       func(*sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error)
	subscribe   func(grpc.BidiStreamingServer[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]) error
}

func (f *fake) Push(ctx context.Context, r *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
	return f.push(ctx, r)
}
func (f *fake) PushStream(s grpc.ClientStreamingServer[sluicev1.PushRequest, sluicev1.PushStreamResponse]) error {
	return f.pushStream(s)
}
func (f *fake) Call(ctx context.Context, r *sluicev1.CallRequest) (*sluicev1.CallResponse, error) {
	return f.call(ctx, r)
}
func (f *fake) Join(_ context.Context, r *sluicev1.JoinRequest) (*sluicev1.JoinResponse, error) {
	return f.join(r)
}
func (f *fake) Leave(_ context.Context, r *sluicev1.LeaveRequest) (*sluicev1.LeaveResponse, error) {
	return f.leave(r)
}
func (f *fake) Kick(_ context.Context, r *sluicev1.KickRequest) (*sluicev1.KickResponse, error) {
	return f.kick(r)
}
func (f *fake) GetSocket(ctx context.Context, r *sluicev1.GetSocketRequest) (*sluicev1.GetSocketResponse, error) {
	return f.getSocket(ctx, r)
}
func (f *fake) ListSockets(_ context.Context, r *sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error) {
	return f.listSockets(r)
}
func (f *fake) CountSockets(_ context.Context, r *sluicev1.CountSocketsRequest) (*sluicev1.CountSocketsResponse, error) {
	return f.count(r)
}
func (f *fake) Reply(_ context.Context, r *sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) {
	return f.reply(r)
}
func (f *fake) Revoke(_ context.Context, r *sluicev1.RevokeRequest) (*sluicev1.RevokeResponse, error) {
	return f.revoke(r)
}
func (f *fake) Subscribe(s grpc.BidiStreamingServer[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]) error {
	return f.subscribe(s)
}

// serve runs a server until stop, or the end of the test. An empty address
// means any.
func serve(t *testing.T, address string, f *fake, opts ...grpc.ServerOption) (addr string, stop func()) {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	var ln net.Listener
	eventually(t, "the port to be free", func() bool {
		var err error
		ln, err = net.Listen("tcp", address)
		return err == nil
	})
	srv := grpc.NewServer(append(opts, grpc.WaitForHandlers(true))...)
	sluicev1.RegisterSluiceServer(srv, f)
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) })
	stop = sync.OnceFunc(func() { srv.Stop(); wg.Wait() })
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

func options(address string) Options {
	return Options{Address: address, Component: "comments", Token: "secret"}
}

// dial connects with options that the test may change.
func dial(t *testing.T, address string, change ...func(*Options)) *Client {
	t.Helper()
	o := options(address)
	for _, f := range change {
		f(&o)
	}
	c, err := Dial(timeout(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// receive takes from a channel, but not for ever.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func header(ctx context.Context, key string) string {
	if v := metadata.ValueFromIncomingContext(ctx, key); len(v) == 1 {
		return v[0]
	}
	return ""
}

func unavailable() error { return status.Error(codes.Unavailable, "try again") }
