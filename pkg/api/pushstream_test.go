package api

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/pkg/bus"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestAPushStreamKeepsItsOrder(t *testing.T) {
	w, down := pushWorld(t)
	ps, err := w.client.PushStream(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	for i := range n {
		req := pushTo("doc-1", "edit", fmt.Sprintf("[%d]", i))
		req.IdempotencyKey = fmt.Sprint(i % (n - 10)) // the last ten are refused: other content
		if i >= n-10 {
			req.Event.Args = fmt.Sprintf("[%d]", i%(n-10))
		}
		if err := ps.Send(req); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := ps.CloseAndRecv()
	if err != nil || sum.GetAccepted() != n-10 || sum.GetDuplicates() != 10 {
		t.Fatalf("%v, %v", sum, err)
	}
	for i := range n - 10 {
		p, _ := bus.DecodePush(take(t, "a record", down).Body)
		if string(p.Args) != fmt.Sprintf("[%d]", i) {
			t.Fatalf("record %d has %s", i, p.Args)
		}
	}
}

// ended sends nothing more and returns how the stream ended.
func streamEnd(ps interface {
	CloseAndRecv() (*sluicev1.PushStreamResponse, error)
}) error {
	_, err := ps.CloseAndRecv()
	return err
}

func TestTheFirstRefusalEndsAPushStreamAndNamesItsIndex(t *testing.T) {
	w, _ := pushWorld(t)
	ps, err := w.client.PushStream(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []*sluicev1.PushRequest{
		pushTo("doc-1", "a", "[]"), pushTo("doc-1", "b", "[]"), pushTo("doc-1", "connect", "[]"), pushTo("doc-1", "d", "[]"),
	} {
		if err := ps.Send(req); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	err = streamEnd(ps)
	if status.Code(err) != codes.InvalidArgument || !strings.HasPrefix(status.Convert(err).Message(), "request 2: event.name: ") {
		t.Errorf("%v", err)
	}
	if len(status.Convert(err).Details()) != 1 {
		t.Errorf("details: %v", status.Convert(err).Details())
	}
}

func TestALostRecordEndsAPushStreamAtItsIndex(t *testing.T) {
	p := &failing{outcome: func(n int) (error, error) {
		if n == 3 {
			return nil, bus.ErrTimeout
		}
		return nil, nil
	}}
	w := newWorld(t, func(w *world) { w.deps.Producer = p })
	ps, err := w.client.PushStream(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if ps.Send(pushTo("doc-1", "e", "[]")) != nil {
			break
		}
	}
	if err := streamEnd(ps); status.Code(err) != codes.Unavailable || !strings.HasPrefix(status.Convert(err).Message(), "request 2: ") {
		t.Errorf("%v", err)
	}
}

func TestAPushStreamWaitsForTheQuotaThatPushRefuses(t *testing.T) {
	w, _ := pushWorld(t, func(w *world) { w.cfg.Components[0].Quotas = QuotaConfig{Pushes: 20, PushBurst: 1} })
	ps, err := w.client.PushStream(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 5 {
		if err := ps.Send(pushTo("doc-1", "e", "[]")); err != nil {
			t.Fatal(err)
		}
	}
	if err := streamEnd(ps); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestAnOpenPushStreamEndsWithTheServer(t *testing.T) {
	w, down := pushWorld(t)
	ps, err := w.client.PushStream(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if err := ps.Send(pushTo("doc-1", "e", "[]")); err != nil {
		t.Fatal(err)
	}
	take(t, "the record", down)
	w.stop()
	var resp sluicev1.PushStreamResponse
	if err := ps.RecvMsg(&resp); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "request 1: ") {
		t.Errorf("%v", err)
	}
	if _, err := w.client.PushStream(w.ctx()); err != nil {
		t.Fatal(err)
	}
	if again, err := w.client.PushStream(w.ctx()); err != nil {
		t.Fatal(err)
	} else if err := streamEnd(again); status.Code(err) != codes.Unavailable {
		t.Errorf("a new stream: %v", err)
	}
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "e", "[]")); err != nil {
		t.Errorf("single pushes are the gRPC server's to end: %v", err)
	}
}
