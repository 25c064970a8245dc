package docs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

const testToken = "secret"

// sluice is a WS-API that the test drives: it delivers events and waits for
// their acknowledgements, and keeps what the component asked of it. The
// component talks to it over gRPC with the real SDK.
type sluice struct {
	sluicev1.UnimplementedSluiceServer
	t       *testing.T
	server  *grpc.Server
	address string

	events  chan *sluicev1.UpEvent
	settled chan bool // acknowledged or not
	mids    int

	mu       sync.Mutex
	members  map[string][]string // of a document
	offline  map[string]bool
	pushes   []*sluicev1.PushRequest
	answers  map[string]string // by the address of the answer
	keyed    map[string]*sluicev1.PushRequest
	failures int // pushes to fail
	refusal  string
}

// serve starts one. Its address is a file, so that a component can be started
// before it, and find it.
func serve(t *testing.T, address string) *sluice {
	t.Helper()
	s := &sluice{
		t: t, server: grpc.NewServer(), address: address,
		events: make(chan *sluicev1.UpEvent), settled: make(chan bool),
		members: map[string][]string{}, offline: map[string]bool{},
		answers: map[string]string{}, keyed: map[string]*sluicev1.PushRequest{},
	}
	sluicev1.RegisterSluiceServer(s.server, s)
	l, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(l) }()
	t.Cleanup(func() {
		s.server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// freshAddress is short: the path of a socket has room for about 100 bytes.
func freshAddress(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "s")
}

// run starts the component and returns how it ended, once stop was called.
func run(t *testing.T, address string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Address: "unix:" + address, Token: testToken, Log: quiet()})
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Minute):
			return errors.New("the component did not end")
		}
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

// begin starts both.
func begin(t *testing.T) *sluice {
	t.Helper()
	s := serve(t, freshAddress(t))
	run(t, s.address)
	return s
}

func (s *sluice) Subscribe(stream grpc.BidiStreamingServer[sluicev1.SubscribeRequest, sluicev1.SubscribeResponse]) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	if !slices.Equal(md.Get("sluice-component"), []string{Component}) || !slices.Equal(md.Get("sluice-token"), []string{testToken}) {
		return status.Error(codes.Unauthenticated, "who?")
	}
	if _, err := stream.Recv(); err != nil { // start
		return err
	}
	if err := stream.Send(&sluicev1.SubscribeResponse{Message: &sluicev1.SubscribeResponse_Started_{
		Started: &sluicev1.SubscribeResponse_Started{Component: Component},
	}}); err != nil {
		return err
	}
	acks := make(chan uint64)
	go func() {
		defer close(acks)
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			settled := m.GetAck().GetDeliveries()
			if m.GetNack() != nil {
				settled = []uint64{0}
			}
			for _, delivery := range settled {
				select {
				case acks <- delivery:
				case <-stream.Context().Done():
					return
				}
			}
		}
	}()
	for delivery := uint64(1); ; delivery++ {
		select {
		case <-acks: // closed: the component leaves
			return nil
		case up := <-s.events:
			up.Delivery = delivery
			if err := stream.Send(&sluicev1.SubscribeResponse{Message: &sluicev1.SubscribeResponse_Event{Event: up}}); err != nil {
				return err
			}
			s.settled <- <-acks == delivery
		}
	}
}

// deliver hands an event to the component and tells whether it was acknowledged.
func (s *sluice) deliver(up *sluicev1.UpEvent) bool {
	s.t.Helper()
	limit := time.After(time.Minute)
	select {
	case s.events <- proto.CloneOf(up):
	case <-limit:
		s.t.Fatal("nobody takes events")
	}
	select {
	case ok := <-s.settled:
		return ok
	case <-limit:
		s.t.Fatal("the event was not settled")
	}
	return false
}

// event makes a message of a socket, with its time and what it is a member of.
func (s *sluice) event(socket, name, args string) *sluicev1.UpEvent {
	s.mids++
	mid := fmt.Sprintf("mid%d", s.mids)
	return &sluicev1.UpEvent{
		Mid: mid, Kind: sluicev1.UpKind_UP_KIND_MESSAGE, Socket: socket, Namespace: "/",
		Event: &sluicev1.Event{Name: name, Args: args}, ReplyTo: "to-" + mid,
		Time: timestamppb.Now(), Documents: s.documentsOf(socket),
	}
}

// send delivers a message, wants it acknowledged and returns the answer.
func (s *sluice) send(socket, name, args string) string {
	s.t.Helper()
	up := s.event(socket, name, args)
	if !s.deliver(up) {
		s.t.Fatalf("%s %s of %s was not acknowledged", name, args, socket)
	}
	return s.answer(up)
}

func (s *sluice) answer(up *sluicev1.UpEvent) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[up.ReplyTo]
}

// open opens a document and returns the state that the client was told.
func (s *sluice) open(socket, document, name string) documentView {
	s.t.Helper()
	args := fmt.Sprintf(`[{"document":%q,"name":%q,"hue":200}]`, document, name)
	return decode[documentView](s.t, s.send(socket, "docs:open", args))
}

func (s *sluice) disconnect(socket string) *sluicev1.UpEvent {
	up := s.event(socket, "", "")
	up.Kind, up.Event, up.ReplyTo, up.Reason = sluicev1.UpKind_UP_KIND_DISCONNECT, nil, "", "transport_close"
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, document := range slices.Collect(maps.Keys(s.members)) {
		s.leaveLocked(socket, document)
	}
	return up
}

// pushed returns the arguments of the pushes of one event since the last call
// of forget, each of which has one.
func (s *sluice) pushed(name string) []*sluicev1.PushRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*sluicev1.PushRequest
	for _, p := range s.pushes {
		if p.GetEvent().GetName() == name {
			found = append(found, p)
		}
	}
	return found
}

func (s *sluice) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes = nil
}

func (s *sluice) documentsOf(socket string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for document, members := range s.members {
		if slices.Contains(members, socket) {
			all = append(all, document)
		}
	}
	return all
}

func (s *sluice) leaveLocked(socket, document string) {
	s.members[document] = slices.DeleteFunc(s.members[document], func(m string) bool { return m == socket })
}

// argument decodes the only argument of a push.
func argument[T any](t *testing.T, p *sluicev1.PushRequest) T {
	t.Helper()
	return decode[T](t, p.GetEvent().GetArgs())
}

// decode reads a list of one.
func decode[T any](t *testing.T, args string) T {
	t.Helper()
	var list []T
	if err := json.Unmarshal([]byte(args), &list); err != nil || len(list) != 1 {
		t.Fatalf("want a list of one: %v: %s", err, args)
	}
	return list[0]
}

func (s *sluice) Push(_ context.Context, p *sluicev1.PushRequest) (*sluicev1.PushResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures > 0 {
		s.failures--
		return nil, status.Error(codes.Internal, "not now")
	}
	if key := p.GetIdempotencyKey(); key != "" {
		before := s.keyed[key]
		if before != nil && !proto.Equal(before, p) {
			return nil, status.Error(codes.AlreadyExists, "other content")
		}
		if before != nil {
			return &sluicev1.PushResponse{Mid: "m", Duplicate: true}, nil
		}
		s.keyed[key] = p
	}
	s.pushes = append(s.pushes, p)
	return &sluicev1.PushResponse{Mid: "m"}, nil
}

func (s *sluice) Reply(_ context.Context, r *sluicev1.ReplyRequest) (*sluicev1.ReplyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[r.GetReplyTo()] = r.GetArgs()
	return &sluicev1.ReplyResponse{Outcome: sluicev1.Outcome_OUTCOME_ACKED}, nil
}

func (s *sluice) Join(_ context.Context, r *sluicev1.JoinRequest) (*sluicev1.JoinResponse, error) {
	return &sluicev1.JoinResponse{Results: s.control(r.GetWho(), r.GetDocuments(), true)}, nil
}

func (s *sluice) Leave(_ context.Context, r *sluicev1.LeaveRequest) (*sluicev1.LeaveResponse, error) {
	return &sluicev1.LeaveResponse{Results: s.control(r.GetWho(), r.GetDocuments(), false)}, nil
}

func (s *sluice) control(who *sluicev1.Selection, documents []string, in bool) (results []*sluicev1.SocketResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range who.GetSockets() {
		r := &sluicev1.SocketResult{Socket: socket, Outcome: sluicev1.Outcome_OUTCOME_ACKED}
		switch {
		case s.offline[socket]:
			r.Outcome, r.Reason = sluicev1.Outcome_OUTCOME_OFFLINE, "offline"
		case in && s.refusal != "":
			r.Outcome, r.Reason = sluicev1.Outcome_OUTCOME_UNSPECIFIED, s.refusal
		default:
			for _, document := range documents {
				s.leaveLocked(socket, document)
				if in {
					s.members[document] = append(s.members[document], socket)
				}
			}
		}
		results = append(results, r)
	}
	return results
}

func (s *sluice) ListSockets(_ context.Context, r *sluicev1.ListSocketsRequest) (*sluicev1.ListSocketsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &sluicev1.ListSocketsResponse{}
	for _, socket := range s.members[r.GetDocument()] {
		resp.Sockets = append(resp.Sockets, &sluicev1.Socket{Id: socket})
	}
	return resp, nil
}
