package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

var (
	errGone = errors.New("no such process")
	errBusy = errors.New("no room")
)

// fakeMesh is a network of gateways in memory.
type fakeMesh struct {
	mu       sync.Mutex
	gateways map[id.Replica]*fakeGateway
	fail     error // of every call, if set
	panics   bool
	calls    []string
}

func newFakeMesh() *fakeMesh { return &fakeMesh{gateways: map[id.Replica]*fakeGateway{}} }

// fakeGateway holds sockets. Its functions may be replaced before it is used.
type fakeGateway struct {
	replica id.Replica
	boot    string

	mu        sync.Mutex
	sockets   map[id.Socket]bool
	delivered []bus.Push
	controls  []*meshv1.ControlRequest
	replies   []*meshv1.ReplyRequest
	revokes   []*meshv1.RevokeRequest
	full      bool

	call    func(ctx context.Context, p bus.Push) *meshv1.CallResponse
	outcome func(op *meshv1.ControlRequest, s id.Socket) (meshv1.Outcome, string)
}

func (m *fakeMesh) gateway(r id.Replica) *fakeGateway {
	g := &fakeGateway{replica: r, boot: fmt.Sprintf("boot-%d", r), sockets: map[id.Socket]bool{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gateways[r] = g
	return g
}

func (m *fakeMesh) to(what string, r id.Replica) (*fakeGateway, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, fmt.Sprintf("%s@%d", what, r))
	if m.fail != nil {
		return nil, m.fail
	}
	if m.panics {
		panic("a secret cause")
	}
	g := m.gateways[r]
	if g == nil {
		return nil, fmt.Errorf("replica %d: %w", r, errGone)
	}
	return g, nil
}

func (m *fakeMesh) log() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

func (m *fakeMesh) Deliver(to id.Replica, body []byte) error {
	g, err := m.to("deliver", to)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full {
		return errBusy
	}
	p, err := bus.DecodePush(body)
	if err != nil {
		return err
	}
	g.delivered = append(g.delivered, p)
	return nil
}

func (m *fakeMesh) Call(ctx context.Context, to id.Replica, req *meshv1.CallRequest) (*meshv1.CallResponse, error) {
	g, err := m.to("call", to)
	if err != nil {
		return nil, err
	}
	p, err := bus.DecodePush(req.GetBody())
	if err != nil {
		return nil, err
	}
	if !g.has(id.Socket(req.GetSocket())) {
		return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_OFFLINE}, nil
	}
	if g.call != nil {
		return g.call(ctx, p), nil
	}
	return &meshv1.CallResponse{Outcome: meshv1.Outcome_OUTCOME_DONE, Args: []byte(`["` + p.Event + `"]`)}, nil
}

func (m *fakeMesh) Control(_ context.Context, to id.Replica, req *meshv1.ControlRequest) (*meshv1.ControlResponse, error) {
	g, err := m.to("control", to)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.controls = append(g.controls, req)
	g.mu.Unlock()
	out := &meshv1.ControlResponse{}
	for _, raw := range req.GetSockets() {
		r := &meshv1.ControlResponse_Result{Socket: raw, Outcome: meshv1.Outcome_OUTCOME_DONE}
		if !g.has(id.Socket(raw)) {
			r.Outcome, r.Reason = meshv1.Outcome_OUTCOME_OFFLINE, "gone"
		} else if g.outcome != nil {
			r.Outcome, r.Reason = g.outcome(req, id.Socket(raw))
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}

func (m *fakeMesh) Reply(_ context.Context, to id.Replica, req *meshv1.ReplyRequest) (*meshv1.ReplyResponse, error) {
	g, err := m.to("reply", to)
	if err != nil {
		return nil, err
	}
	if req.GetBoot() != g.boot {
		return nil, fmt.Errorf("boot of replica %d: %w", to, errGone)
	}
	g.mu.Lock()
	g.replies = append(g.replies, req)
	g.mu.Unlock()
	if !g.has(id.Socket(req.GetSocket())) {
		return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_OFFLINE}, nil
	}
	return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_DONE}, nil
}

func (m *fakeMesh) Revoke(_ context.Context, to id.Replica, req *meshv1.RevokeRequest) (*meshv1.RevokeResponse, error) {
	g, err := m.to("revoke", to)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revokes = append(g.revokes, req)
	return &meshv1.RevokeResponse{Sockets: uint64(len(g.sockets))}, nil
}

func (g *fakeGateway) has(s id.Socket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sockets[s]
}

func (g *fakeGateway) taken() []bus.Push {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.delivered)
}

func (g *fakeGateway) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delivered = nil
}

func sortPushes(pushes []bus.Push) {
	slices.SortFunc(pushes, func(a, b bus.Push) int { return strings.Compare(a.Target.String(), b.Target.String()) })
}
