package api

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

type pushing = grpc.ClientStreamingServer[sluicev1.PushRequest, sluicev1.PushStreamResponse]

// pushed is one request of a PushStream that was begun.
type pushed struct {
	index   uint64
	begin   *acceptance // nil for an ephemeral push, which is done
	ctx     context.Context
	cancel  context.CancelFunc
	failure error // ends the stream; io.EOF is its orderly end
}

// PushStream takes pushes in the order of the stream. Several are on their way into
// Kafka at once, so after an error requests behind the one that it names may have been
// accepted too. Where Push refuses for the component's quota, this one waits, which
// slows the caller down.
func (s *Server) PushStream(ss pushing) error {
	begun := make(chan pushed, s.cfg.Work.StreamRequests)
	if !s.start(func() { s.beginAll(ss, begun) }) {
		return ErrClosing
	}
	out := &sluicev1.PushStreamResponse{}
	for {
		p, err := s.nextPushed(ss.Context(), begun, out.Accepted+out.Duplicates)
		if err != nil {
			return err
		}
		switch done, err := p.finish(); {
		case errors.Is(err, io.EOF):
			return ss.SendAndClose(out)
		case err != nil:
			return &indexError{index: p.index, err: err}
		case done.GetDuplicate():
			out.Duplicates++
		default:
			out.Accepted++
		}
	}
}

// nextPushed waits for the next request that was begun. A server that is closing
// finishes those and no more.
func (s *Server) nextPushed(ctx context.Context, begun <-chan pushed, index uint64) (pushed, error) {
	select {
	case p := <-begun:
		return p, nil
	case <-ctx.Done():
		return pushed{}, ctx.Err()
	case <-s.closing:
	}
	select {
	case p := <-begun:
		return p, nil
	default:
		return pushed{}, &indexError{index: index, err: ErrClosing}
	}
}

// finish waits for one request.
func (p *pushed) finish() (*sluicev1.PushResponse, error) {
	if p.cancel != nil {
		defer p.cancel()
	}
	if p.failure != nil || p.begin == nil {
		return nil, p.failure
	}
	return p.begin.wait(p.ctx)
}

// beginAll reads requests and begins them one after the other. Its last word to begun
// is a failure or the end; it returns when the stream is over.
func (s *Server) beginAll(ss pushing, begun chan<- pushed) {
	for index := uint64(0); ; index++ {
		var p pushed
		if err := s.safely("PushStream", func() error {
			p = s.beginNext(ss, index)
			return nil
		}); err != nil {
			p = pushed{index: index, failure: err}
		}
		select {
		case begun <- p:
		case <-ss.Context().Done():
			if p.cancel != nil {
				p.cancel()
			}
			return
		}
		if p.failure != nil {
			return
		}
	}
}

func (s *Server) beginNext(ss pushing, index uint64) pushed {
	req, err := recvPush(ss)
	if err != nil {
		return pushed{index: index, failure: err}
	}
	c := caller(ss.Context())
	p, err := s.admitPush(c, req)
	if err != nil {
		return pushed{index: index, failure: err}
	}
	ctx, cancel := context.WithTimeout(ss.Context(), s.cfg.DefaultDeadline)
	out := pushed{index: index, ctx: ctx, cancel: cancel}
	if out.failure = c.quota.wait(ctx, s.now, p.bytes()); out.failure != nil {
		return out
	}
	if p.ephemeral {
		_, out.failure = s.pushEphemeral(ctx, c, p)
	} else {
		out.begin, out.failure = s.beginPush(ctx, c, p)
	}
	return out
}

// recvPush reads the next request.
func recvPush(ss pushing) (*sluicev1.PushRequest, error) {
	req, err := ss.Recv()
	switch {
	case err == nil:
		return req, nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case ss.Context().Err() != nil:
		return nil, ss.Context().Err()
	default:
		return nil, err // gRPC's own, as of a message that is too large
	}
}
