package mesh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// Forward implements meshv1.MeshServer: one request, whose response is
// complete when the handler returns.
func (s *Server) Forward(ctx context.Context, req *meshv1.ForwardRequest) (*meshv1.ForwardResponse, error) {
	ctx, leave, err := s.enter(ctx, req.GetBoot())
	if err != nil {
		return nil, err
	}
	defer leave()
	r, err := opened(ctx, req)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	w := newRecorder(s.cfg.MaxForwardBytes)
	if !s.serve(w, r) {
		return nil, status.Error(codes.Aborted, "handler aborted")
	}
	if w.err != nil {
		return nil, status.Error(codes.OutOfRange, w.err.Error())
	}
	// A handler that gave up at the deadline has answered nothing: an empty 200
	// would be taken for the poll's answer.
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	return w.response(), nil
}

// Tunnel implements meshv1.MeshServer: the handler may hijack, and then the
// tunnel lasts until the handler's side closes it or the caller is gone.
func (s *Server) Tunnel(stream grpc.BidiStreamingServer[meshv1.Chunk, meshv1.Chunk]) error {
	if err := s.begin(stream.Context()); err != nil {
		return err
	}
	defer s.wg.Done()
	c := newConn(stream, &s.cfg, func(f func()) { s.wg.Go(f) })
	defer c.abort() // when this function returns, the stream is no more
	stopped := context.AfterFunc(s.stopping, c.abort)
	defer stopped()

	head := make(chan *meshv1.ForwardRequest, 1)
	s.wg.Go(func() { c.receiveAll(head) })
	req, err := s.awaitHead(c, head)
	if err != nil {
		return err
	}
	if err := s.meant(req.GetBoot(), stream.SetTrailer); err != nil {
		return err
	}
	r, err := opened(stream.Context(), req)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	c.from(netAddr(r.RemoteAddr))

	open := s.m.tunnels.WithLabelValues("callee")
	open.Inc()
	defer open.Dec()
	w := &upgrader{recorder: newRecorder(s.cfg.MaxForwardBytes), conn: c}
	ok := s.serve(w, r)
	switch {
	case !ok:
		c.abort() // nobody may own what was hijacked
	case w.hijacked:
	default:
		w.refuse(r)
	}
	<-c.over
	if c.broken() {
		return status.Error(codes.Aborted, "tunnel cut")
	}
	return nil
}

// receiveAll is receive with the request in front.
func (c *conn) receiveAll(head chan<- *meshv1.ForwardRequest) {
	first, err := c.stream.Recv()
	if err != nil || first.GetRequest() == nil {
		c.abort()
		return
	}
	head <- first.GetRequest()
	if c.put(first.GetData()) {
		c.receive()
	}
}

func (s *Server) awaitHead(c *conn, head <-chan *meshv1.ForwardRequest) (*meshv1.ForwardRequest, error) {
	timer := time.NewTimer(s.cfg.TunnelOpenTimeout)
	defer timer.Stop()
	select {
	case req := <-head:
		return req, nil
	case <-c.over:
		return nil, status.Error(codes.InvalidArgument, "no request in the first chunk")
	case <-timer.C:
		return nil, status.Error(codes.InvalidArgument, "no request in time")
	}
}

// serve calls the handler as net/http would: a panic ends the request and not
// the process. False means that it panicked.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) (ok bool) {
	defer func() {
		p := recover()
		if ok = p == nil; !ok && p != any(http.ErrAbortHandler) {
			s.log.Error("handler of a forwarded request panicked",
				elog.String("panic", fmt.Sprint(p)), elog.String("stack", string(debug.Stack())))
		}
	}()
	s.h.ServeHTTP(w, r)
	return true
}

// upgrader is the response of a tunnelled request: the handler takes the
// connection, or answers like to any request.
type upgrader struct {
	*recorder
	conn     *conn
	hijacked bool
}

// Hijack implements http.Hijacker.
func (w *upgrader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if w.status != 0 {
		return nil, nil, errors.New("mesh: hijack after the response was begun")
	}
	w.hijacked = true
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// Write implements http.ResponseWriter.
func (w *upgrader) Write(b []byte) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	return w.recorder.Write(b)
}

// WriteHeader implements http.ResponseWriter.
func (w *upgrader) WriteHeader(status int) {
	if !w.hijacked {
		w.recorder.WriteHeader(status)
	}
}

// refuse sends the response of a handler that did not hijack.
func (w *upgrader) refuse(r *http.Request) {
	w.finish()
	resp := &http.Response{
		StatusCode:    w.status,
		ProtoMajor:    1,
		ProtoMinor:    1,
		Request:       r,
		Header:        w.sent,
		Body:          io.NopCloser(bytes.NewReader(w.body)),
		ContentLength: int64(len(w.body)),
		Close:         true,
	}
	w.sent.Del("Content-Length")
	var whole bytes.Buffer // in one piece: the caller looks at the first
	_ = resp.Write(&whole) // a buffer takes everything
	if _, err := w.conn.Write(whole.Bytes()); err != nil {
		w.conn.abort()
		return
	}
	_ = w.conn.Close()
}

func (c *conn) from(client net.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remote = client
}

// broken tells whether the stream failed, or the linger was not enough.
func (c *conn) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outErr != nil
}

// netAddr parses the client's address as a net/http server would have it.
func netAddr(s string) net.Addr {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return addr(s)
	}
	return net.TCPAddrFromAddrPort(ap)
}
