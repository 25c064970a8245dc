package mesh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// Forward lets the replica to serve r and passes its response to w: polls and
// POSTs as one call each, a WebSocket upgrade as a tunnel, for which w must be
// an http.Hijacker. Forward returns when the request, or the tunnel, is over.
//
// r.RemoteAddr must be the client's address as this process trusts it: the
// callee gets it, and none of the headers in which clients claim addresses.
// How slowly a client may send its body is for the caller's server to limit.
//
// A w with a method Tunnelled(first []byte) is told the first bytes of what comes
// through a tunnel, which it does not see otherwise.
//
// A nil error means that an answer was given. With any error nothing has been
// written to w, and the caller answers: ErrUnknown "unknown sid",
// ErrUnreachable and ErrBusy 503 with Retry-After, ErrTooLarge 413,
// ErrClientGone nothing.
func (c *Client) Forward(w http.ResponseWriter, r *http.Request, to id.Replica) error {
	if Forwarded(r) {
		return ErrForwarded
	}
	m, err := c.lookup(r.Context(), to)
	if err != nil {
		return err
	}
	if isUpgrade(r) {
		return c.tunnel(w, r, m)
	}
	body, err := readBody(r, c.cfg.MaxForwardBytes)
	if err != nil {
		return err
	}
	resp, err := c.forward(r, m, body)
	if err != nil {
		return err
	}
	return pass(w, r, resp)
}

func (c *Client) forward(r *http.Request, m Member, body []byte) (*meshv1.ForwardResponse, error) {
	l, err := c.take(m.Address)
	if err != nil {
		return nil, err
	}
	defer c.give(l)
	ctx, done := c.bound(r.Context())
	defer done()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ForwardTimeout)
	defer cancel()

	req := envelope(r, m.Boot, body, false)
	mc := meshv1.NewMeshClient(l.cc)
	begun := time.Now()
	var trailer metadata.MD
	resp, err := mc.Forward(ctx, req, grpc.Trailer(&trailer))
	if boot := otherBoot(trailer, err); boot != "" {
		req.Boot = boot
		resp, err = mc.Forward(ctx, req)
	}
	c.m.called("forward", time.Since(begun).Seconds(), err)
	if err != nil {
		return nil, c.unserved(ctx, r, "forward", m.Replica, err)
	}
	return resp, nil
}

// unserved is typed for requests of HTTP clients: their going away is told from
// everything else, and a replica that takes too long is as good as away.
func (c *Client) unserved(ctx context.Context, r *http.Request, method string, to id.Replica, err error) error {
	if r.Context().Err() != nil {
		return fmt.Errorf("%s of replica %d: %w: %w", method, to, ErrClientGone, r.Context().Err())
	}
	err = c.typed(ctx, method, to, err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// pass writes the callee's response.
func pass(w http.ResponseWriter, r *http.Request, resp *meshv1.ForwardResponse) error {
	status := int(resp.GetStatus())
	if status < 200 || status > 999 {
		return fmt.Errorf("%w: response with status %d", ErrUnreachable, status)
	}
	h := w.Header()
	for _, header := range resp.GetHeaders() {
		h[header.GetName()] = header.GetValues()
	}
	if bodyAllowed(status) && r.Method != http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(len(resp.GetBody())))
	}
	w.WriteHeader(status)
	// Who does not get it any more has gone: the callee notices by its ping.
	_, _ = w.Write(resp.GetBody())
	return nil
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
