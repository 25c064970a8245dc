package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// pushWorld is a world with Kafka and Redis, and the records that are pushed.
func pushWorld(t testing.TB, change ...func(w *world)) (*world, <-chan bus.Record) {
	k := newKafka(t, 4)
	w := newWorld(t, append([]func(w *world){func(w *world) {
		w.deps.Producer = k.bus.Producer()
		w.redis()
	}}, change...)...)
	return w, k.down()
}

func TestADurablePushIsOneRecordPerTarget(t *testing.T) {
	w, down := pushWorld(t)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	socket := id.Socket(77)
	resp, err := w.client.Push(metadata.AppendToOutgoingContext(w.ctx(), "traceparent", trace), &sluicev1.PushRequest{
		Sockets: []string{socket.String()}, Users: []string{"u"}, Documents: []string{"doc-1"}, All: true, Namespace: "/chat",
		Event:         &sluicev1.Event{Name: "edit", Args: `[{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{1, 2}}},
		ExceptSockets: []string{id.Socket(5).String()},
		Filter:        &sluicev1.Filter{AuthTypes: []string{"jwt"}, MinClientVersion: "1.9", MaxClientVersion: "2", Locales: []string{"en"}},
		DeliverWithin: durationpb.New(1500 * time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bus.Record{}
	for range 4 {
		r := take(t, "a record", down)
		got[r.Key] = r
	}
	for _, target := range []id.Target{id.AllTarget(), id.DocTarget("doc-1"), id.UserTarget("u"), id.SocketTarget(socket)} {
		r, ok := got[target.String()]
		if !ok {
			t.Fatalf("no record for %s", target)
		}
		p, err := bus.DecodePush(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if p.Target != target || p.Mid.String() != resp.GetMid() || !p.Multi || p.Component != "docs" || p.Namespace != "/chat" ||
			p.Event != "edit" || string(p.Args) != `[{"_placeholder":true,"num":0}]` || string(p.Attachments[0]) != "\x01\x02" ||
			len(p.Except) != 1 || p.Except[0] != 5 || p.AuthTypes[0] != "jwt" || p.MinVersion != "1.9" || p.MaxVersion != "2" ||
			p.Locales[0] != "en" || p.WithinMS != 1500 || p.Traceparent != trace || p.SentAt == 0 {
			t.Errorf("%s: %+v", target, p)
		}
		h := r.Headers
		if h.Mid != p.Mid || h.PushClientID != "docs" || h.TraceID != trace || h.ServerVersion != "test" || len(h.Stamps) != 1 {
			t.Errorf("%s: headers %+v", target, h)
		}
	}
	if h := got[id.SocketTarget(socket).String()].Headers; h.Operator != bus.OperatorUnicast || h.Socket != socket {
		t.Errorf("socket: %+v", h)
	}
	if h := got["d:doc-1"].Headers; h.Operator != bus.OperatorBroadcast || h.Doc != "doc-1" {
		t.Errorf("document: %+v", h)
	}
	if h := got["u:u"].Headers; h.User != "u" {
		t.Errorf("user: %+v", h)
	}
	if n := counted(w.deps.Metrics.pushes, "docs", "durable"); n != 1 {
		t.Errorf("%v pushes counted", n)
	}
}

func TestAPushToOneTargetIsNotMultiAndHasATrace(t *testing.T) {
	w, down := pushWorld(t)
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "edit", "[]")); err != nil {
		t.Fatal(err)
	}
	p, err := bus.DecodePush(take(t, "the record", down).Body)
	if err != nil || p.Multi || !isTraceparent(p.Traceparent) || !strings.Contains(p.Traceparent, fmt.Sprintf("%016x", uint64(p.Mid))) {
		t.Errorf("%+v, %v", p, err)
	}
}

func pushTo(doc, event, args string) *sluicev1.PushRequest {
	return &sluicev1.PushRequest{Documents: []string{doc}, Event: &sluicev1.Event{Name: event, Args: args}}
}

func TestTenThousandTargetsAreAllPublished(t *testing.T) {
	w, down := pushWorld(t)
	req := &sluicev1.PushRequest{Documents: names64("doc-")(10_000), Event: &sluicev1.Event{Name: "edit"}}
	if _, err := w.client.Push(w.ctx(), req); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 10_000 {
		seen[take(t, "a record", down).Key] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("%d targets", len(seen))
	}
}

func TestAKeyIsDeliveredOnce(t *testing.T) {
	w, down := pushWorld(t)
	req := pushTo("doc-1", "edit", "[1]")
	req.IdempotencyKey = "k"
	first, err := w.client.Push(w.ctx(), req)
	if err != nil || first.GetDuplicate() {
		t.Fatalf("%v, %v", first, err)
	}
	again, err := w.client.Push(w.ctx(), req)
	if err != nil || !again.GetDuplicate() || again.GetMid() != first.GetMid() {
		t.Fatalf("again: %v, %v", again, err)
	}
	// The order of the targets is not content.
	two := &sluicev1.PushRequest{Documents: []string{"doc-1", "doc-2"}, Event: req.Event, IdempotencyKey: "two"}
	if _, err := w.client.Push(w.ctx(), two); err != nil {
		t.Fatal(err)
	}
	two.Documents = []string{"doc-2", "doc-1"}
	if r, err := w.client.Push(w.ctx(), two); err != nil || !r.GetDuplicate() {
		t.Errorf("other order: %v, %v", r, err)
	}
	req.Event.Args = "[2]"
	if _, err := w.client.Push(w.ctx(), req); status.Code(err) != codes.AlreadyExists {
		t.Errorf("other content: %v", err)
	}
	for range 3 {
		take(t, "a record", down)
	}
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "last", "[]")); err != nil {
		t.Fatal(err)
	}
	if r := take(t, "the last record", down); r.Key != "d:doc-1" {
		t.Errorf("%+v", r)
	} else if p, _ := bus.DecodePush(r.Body); p.Event != "last" {
		t.Errorf("a duplicate was published: %+v", p)
	}
}

// failing is a producer whose records end with what outcome says.
type failing struct {
	mu      sync.Mutex
	n       int
	outcome func(n int) (enqueue, done error)
	seen    []bus.Record
}

func (f *failing) Enqueue(rec bus.Record, done func(error)) error {
	f.mu.Lock()
	f.n++
	enqueue, ended := f.outcome(f.n)
	if enqueue == nil {
		f.seen = append(f.seen, rec)
	}
	f.mu.Unlock()
	if enqueue == nil {
		go done(ended)
	}
	return enqueue
}

func TestAFailedPushKeepsItsKeyPendingAndItsMid(t *testing.T) {
	p := &failing{outcome: func(n int) (error, error) {
		if n == 2 {
			return nil, bus.ErrTimeout
		}
		return nil, nil
	}}
	w := newWorld(t, withKeys, func(w *world) { w.deps.Producer = p })
	req := &sluicev1.PushRequest{Documents: []string{"doc-1", "doc-2", "doc-3"}, Event: &sluicev1.Event{Name: "edit"}, IdempotencyKey: "k"}
	if _, err := w.client.Push(w.ctx(), req); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "in part") {
		t.Fatalf("with a lost record: %v", err)
	}
	resp, err := w.client.Push(w.ctx(), req)
	if err != nil || resp.GetDuplicate() {
		t.Fatalf("again: %v, %v", resp, err)
	}
	for _, rec := range p.seen {
		if rec.Headers.Mid.String() != resp.GetMid() {
			t.Errorf("a record has the mid %s, the answer %s", rec.Headers.Mid, resp.GetMid())
		}
	}
	if again, err := w.client.Push(w.ctx(), req); err != nil || !again.GetDuplicate() || again.GetMid() != resp.GetMid() {
		t.Errorf("after it was done: %v, %v", again, err)
	}
}

func TestAPushWaitsForRoomInTheProducer(t *testing.T) {
	p := &failing{outcome: func(n int) (error, error) {
		if n < 5 {
			return bus.ErrFull, nil
		}
		return nil, nil
	}}
	w := newWorld(t, func(w *world) { w.deps.Producer = p })
	if _, err := w.client.Push(w.ctx(), pushTo("doc-1", "edit", "[]")); err != nil {
		t.Error(err)
	}
	if p.n != 5 {
		t.Errorf("%d attempts", p.n)
	}
}

func TestAPushIsBoundedByItsDeadlineInEveryWait(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	for name, producer := range map[string]Producer{
		"buffer full": &failing{outcome: func(int) (error, error) { return bus.ErrFull, nil }},
		"no ack":      producerFunc(func(bus.Record, func(error)) error { return nil }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.deps.Producer = producer
				w.cfg.DefaultDeadline = 100 * time.Millisecond
				w.cfg.Work.PushRecords = 2
			})
			ctx := metadata.AppendToOutgoingContext(context.Background(), metaComponent, "docs", metaToken, token)
			start := time.Now()
			req := &sluicev1.PushRequest{Documents: names64("doc-")(5), Event: &sluicev1.Event{Name: "e"}}
			if _, err := w.client.Push(ctx, req); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took < 90*time.Millisecond || took > 30*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

type producerFunc func(bus.Record, func(error)) error

func (f producerFunc) Enqueue(rec bus.Record, done func(error)) error { return f(rec, done) }

func TestAnUnmarkedKeyDoesNotFailThePush(t *testing.T) {
	w, down := pushWorld(t)
	keys := w.server.deps.Keys
	w.server.deps.Keys = undone{keys}
	req := pushTo("doc-1", "edit", "[]")
	req.IdempotencyKey = "k"
	first, err := w.client.Push(w.ctx(), req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.client.Push(w.ctx(), req)
	if err != nil || again.GetDuplicate() || again.GetMid() != first.GetMid() {
		t.Errorf("again: %v, %v", again, err)
	}
	for range 2 {
		if r := take(t, "a record", down); r.Headers.Mid.String() != first.GetMid() {
			t.Errorf("mid %s", r.Headers.Mid)
		}
	}
	if n := value(w.deps.Metrics.keysLost); n != 2 {
		t.Errorf("%v counted", n)
	}
}

type undone struct{ Keys }

func (undone) Done(context.Context, string, string) error { return errors.New("away") }

func TestTheDigestTellsContentsApart(t *testing.T) {
	base := func() *sluicev1.PushRequest {
		return &sluicev1.PushRequest{Documents: []string{"a", "b"}, Event: &sluicev1.Event{Name: "e", Args: `[1]`}}
	}
	digest := func(change func(r *sluicev1.PushRequest)) string {
		r := base()
		change(r)
		p, err := DefaultLimits().push(r)
		if err != nil {
			t.Fatal(err)
		}
		d := p.digest()
		return string(d[:])
	}
	same := digest(func(*sluicev1.PushRequest) {})
	for name, change := range map[string]func(r *sluicev1.PushRequest){
		"order": func(r *sluicev1.PushRequest) { r.Documents = []string{"b", "a"} },
		"key":   func(r *sluicev1.PushRequest) { r.IdempotencyKey = "k" },
		"slash": func(r *sluicev1.PushRequest) { r.Namespace = "/" },
	} {
		if digest(change) != same {
			t.Errorf("%s: another digest", name)
		}
	}
	seen := map[string]string{same: "base"}
	for name, change := range map[string]func(r *sluicev1.PushRequest){
		"documents": func(r *sluicev1.PushRequest) { r.Documents = []string{"a"} },
		"joined":    func(r *sluicev1.PushRequest) { r.Documents = []string{"ab"} },
		"users":     func(r *sluicev1.PushRequest) { r.Documents, r.Users = nil, []string{"a", "b"} },
		"all":       func(r *sluicev1.PushRequest) { r.All = true },
		"namespace": func(r *sluicev1.PushRequest) { r.Namespace = "/x" },
		"name":      func(r *sluicev1.PushRequest) { r.Event.Name = "f" },
		"args":      func(r *sluicev1.PushRequest) { r.Event.Args = `[2]` },
		"binary": func(r *sluicev1.PushRequest) {
			r.Event.Args, r.Event.Attachments = `[{"_placeholder":true,"num":0}]`, [][]byte{{1}}
		},
		"binary 2": func(r *sluicev1.PushRequest) {
			r.Event.Args, r.Event.Attachments = `[{"_placeholder":true,"num":0}]`, [][]byte{{2}}
		},
		"except":  func(r *sluicev1.PushRequest) { r.ExceptSockets = socketNames(1) },
		"auth":    func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{AuthTypes: []string{"1"}} },
		"min":     func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{MinClientVersion: "1"} },
		"max":     func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{MaxClientVersion: "1"} },
		"locales": func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{Locales: []string{"1"}} },
		"within":  func(r *sluicev1.PushRequest) { r.DeliverWithin = durationpb.New(time.Second) },
	} {
		d := digest(change)
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}

// TestTheDigestNeverChanges guards keys that were reserved by an earlier version.
func TestTheDigestNeverChanges(t *testing.T) {
	p, err := DefaultLimits().push(&sluicev1.PushRequest{
		Documents: []string{"d"}, Event: &sluicev1.Event{Name: "e", Args: `[1]`}, DeliverWithin: durationpb.New(time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "42e3c14f22b8af1e0d8e597b6064af79434ce30a2d43b95000bb579aa51917b0"
	if got := fmt.Sprintf("%x", p.digest()); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}
