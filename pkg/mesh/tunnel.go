package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

type tunnelStream = grpc.BidiStreamingClient[meshv1.Chunk, meshv1.Chunk]

// tunnel connects the client of w with the replica m.
func (c *Client) tunnel(w http.ResponseWriter, r *http.Request, m Member) error {
	l, err := c.take(m.Address)
	if err != nil {
		return err
	}
	defer c.give(l)
	ctx, cancel := c.bound(context.WithoutCancel(r.Context()))
	defer cancel()
	// Only until the hijack: after it net/http takes a half-close for the end of
	// the request.
	unhook := context.AfterFunc(r.Context(), cancel)
	defer unhook()

	begun := time.Now()
	stream, first, err := c.openTunnel(ctx, l.cc, envelope(r, m.Boot, nil, true))
	c.m.called("tunnel", time.Since(begun).Seconds(), err)
	if err != nil {
		return c.unserved(ctx, r, "tunnel", m.Replica, err)
	}
	if o, ok := w.(interface{ Tunnelled(first []byte) }); ok {
		o.Tunnelled(first.GetData())
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("tunnel: hijack: %w", err)
	}
	unhook()
	open := c.m.tunnels.WithLabelValues("caller")
	open.Inc()
	defer open.Dec()
	t := &tunnel{
		cfg: &c.cfg, stream: stream, cancel: cancel, client: client, from: buffered.Reader,
		up: c.m.tunnelBytes.WithLabelValues("up"), down: c.m.tunnelBytes.WithLabelValues("down"),
	}
	t.run(first)
	return nil
}

// openTunnel sends the request and waits for the first bytes of the response:
// until they are here, everything that fails can be told to the client.
func (c *Client) openTunnel(ctx context.Context, cc *grpc.ClientConn, req *meshv1.ForwardRequest) (tunnelStream, *meshv1.Chunk, error) {
	stream, first, err := c.tryTunnel(ctx, cc, req)
	if err == nil {
		return stream, first, nil
	}
	boot := ""
	if stream != nil {
		boot = otherBoot(stream.Trailer(), err)
	}
	if boot == "" {
		return nil, nil, err
	}
	req.Boot = boot
	return c.tryTunnel(ctx, cc, req)
}

func (c *Client) tryTunnel(ctx context.Context, cc *grpc.ClientConn, req *meshv1.ForwardRequest) (tunnelStream, *meshv1.Chunk, error) {
	ctx, cancel := context.WithCancel(ctx) // on success it lasts as long as its parent
	timer := time.AfterFunc(c.cfg.TunnelOpenTimeout, cancel)
	stream, err := meshv1.NewMeshClient(cc).Tunnel(ctx)
	var first *meshv1.Chunk
	if err == nil {
		_ = stream.Send(&meshv1.Chunk{Request: req}) // Recv tells why it failed
		first, err = stream.Recv()
	}
	late := !timer.Stop()
	if err == nil && !late {
		return stream, first, nil
	}
	cancel()
	switch {
	case late:
		err = status.Error(codes.Unavailable, "no answer in time")
	case errors.Is(err, io.EOF):
		err = status.Error(codes.Unavailable, "closed without an answer")
	}
	return stream, nil, err
}

// tunnel is the caller's side of a tunnel that is open.
type tunnel struct {
	cfg    *Config
	stream tunnelStream
	cancel context.CancelFunc // resets the stream
	client net.Conn
	from   *bufio.Reader // of client; it has what was read ahead before the hijack
	up     interface{ Add(float64) }
	down   interface{ Add(float64) }
}

// run passes bytes until both directions have ended.
func (t *tunnel) run(first *meshv1.Chunk) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.pumpUp()
	}()
	if t.pumpDown(first) {
		t.hangUp(done)
	} else {
		t.cancel()
	}
	_ = t.client.Close() // ends pumpUp
	<-done
}

// pumpUp passes what the client sends. The buffer is the one that net/http had
// for the connection: an idle tunnel needs no other.
func (t *tunnel) pumpUp() {
	for {
		if _, err := t.from.Peek(1); err != nil {
			t.upEnded(err)
			return
		}
		data, _ := t.from.Peek(t.from.Buffered())
		if t.stream.Send(&meshv1.Chunk{Data: data}) != nil { // copies
			t.discard()
			return
		}
		t.up.Add(float64(len(data)))
		_, _ = t.from.Discard(len(data))
	}
}

// upEnded passes the client's end on: a half-close as such, anything else as a
// reset. After a half-close the callee has TunnelLinger to close as well.
func (t *tunnel) upEnded(err error) {
	if !errors.Is(err, io.EOF) || t.stream.CloseSend() != nil {
		t.cancel()
		return
	}
	t.lingered()
}

func (t *tunnel) lingered() {
	timer := time.NewTimer(t.cfg.TunnelLinger)
	defer timer.Stop()
	select {
	case <-timer.C:
		t.cancel()
	case <-t.stream.Context().Done(): // Recv has returned the end
	}
}

// discard reads what a client sends after the callee has closed, so that
// closing does not become a reset that overtakes the last bytes.
func (t *tunnel) discard() {
	for {
		if _, err := t.from.Discard(max(t.from.Buffered(), 1)); err != nil {
			return
		}
	}
}

// pumpDown passes what the callee sends. True: the callee closed in order.
func (t *tunnel) pumpDown(chunk *meshv1.Chunk) bool {
	for {
		if data := chunk.GetData(); len(data) > 0 {
			_ = t.client.SetWriteDeadline(time.Now().Add(t.cfg.TunnelStall))
			n, err := t.client.Write(data)
			t.down.Add(float64(n))
			if err != nil {
				return false
			}
		}
		var err error
		if chunk, err = t.stream.Recv(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// hangUp closes towards the client after the callee has: first the sending
// half, then, when the client has closed too or TunnelLinger later, the rest.
func (t *tunnel) hangUp(up <-chan struct{}) {
	half, ok := t.client.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = t.client.SetReadDeadline(time.Now().Add(t.cfg.TunnelLinger))
	<-up
}
