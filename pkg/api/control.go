package api

import (
	"context"
	"errors"
	"slices"
	"sync"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Join makes sockets members of documents.
func (s *Server) Join(ctx context.Context, req *sluicev1.JoinRequest) (*sluicev1.JoinResponse, error) {
	results, err := s.membership(ctx, meshv1.ControlRequest_OP_JOIN, req.GetWho(), req.GetDocuments())
	if err != nil {
		return nil, err
	}
	return &sluicev1.JoinResponse{Results: results}, nil
}

// Leave ends memberships.
func (s *Server) Leave(ctx context.Context, req *sluicev1.LeaveRequest) (*sluicev1.LeaveResponse, error) {
	results, err := s.membership(ctx, meshv1.ControlRequest_OP_LEAVE, req.GetWho(), req.GetDocuments())
	if err != nil {
		return nil, err
	}
	return &sluicev1.LeaveResponse{Results: results}, nil
}

// Kick disconnects sockets.
func (s *Server) Kick(ctx context.Context, req *sluicev1.KickRequest) (*sluicev1.KickResponse, error) {
	c, err := s.cfg.Limits.kick(req)
	if err != nil {
		return nil, err
	}
	results, err := s.control(ctx, c, &meshv1.ControlRequest{
		Op: meshv1.ControlRequest_OP_KICK, Reason: c.reason, Close: c.close, Namespace: c.namespace,
	})
	if err != nil {
		return nil, err
	}
	return &sluicev1.KickResponse{Results: results}, nil
}

func (s *Server) membership(ctx context.Context, op meshv1.ControlRequest_Op, who *sluicev1.Selection, documents []string) ([]*sluicev1.SocketResult, error) {
	c, err := s.cfg.Limits.membership(who, documents)
	if err != nil {
		return nil, err
	}
	if err := caller(ctx).mayDocuments(c.documents); err != nil {
		return nil, err
	}
	return s.control(ctx, c, &meshv1.ControlRequest{Op: op, Documents: documents})
}

// control does one thing to all selected sockets, in the order of the answer: first
// at the replicas that their ids name, then, for those that are not there, at the
// replicas that the index names.
func (s *Server) control(ctx context.Context, c *control, op *meshv1.ControlRequest) ([]*sluicev1.SocketResult, error) {
	sockets, err := s.selected(ctx, c)
	if err != nil {
		return nil, err
	}
	b := &controlBatch{s: s, op: op, results: make(map[id.Socket]*sluicev1.SocketResult, len(sockets))}
	home := make(map[id.Socket]id.Replica, len(sockets))
	for _, socket := range sockets {
		home[socket] = socket.Replica()
	}
	if err := b.run(ctx, home); err != nil {
		return nil, err
	}
	moved, err := b.moved(ctx)
	if err != nil {
		return nil, err
	}
	b.moving = true
	if err := b.run(ctx, moved); err != nil {
		return nil, err
	}
	out := make([]*sluicev1.SocketResult, len(sockets))
	for i, socket := range sockets {
		out[i] = b.results[socket]
	}
	return out, nil
}

// selected lists the selected sockets, each once, those of users behind those that
// were named.
func (s *Server) selected(ctx context.Context, c *control) ([]id.Socket, error) {
	lists := make([][]id.Socket, len(c.users)+1)
	lists[0] = c.sockets
	err := s.parallel(ctx, len(c.users), func(ctx context.Context, i int) (err error) {
		lists[i+1], err = s.socketsOf(ctx, c.users[i], s.cfg.Limits.MaxSelected)
		return err
	})
	all := slices.Concat(lists...)
	if err == nil && len(all) > s.cfg.Limits.MaxSelected {
		err = errTooMany
	}
	if errors.Is(err, ErrInvalid) {
		return nil, &InvalidError{Violations: []Violation{{Field: "who.users", Reason: "have too many sockets in all"}}}
	}
	if err != nil {
		return nil, dependency(ctx, "session index", err)
	}
	seen := make(map[id.Socket]struct{}, len(all))
	return slices.DeleteFunc(all, func(socket id.Socket) bool {
		_, twice := seen[socket]
		seen[socket] = struct{}{}
		return twice
	}), nil
}

// controlBatch is one control operation on many sockets.
type controlBatch struct {
	s  *Server
	op *meshv1.ControlRequest // without sockets

	moving bool // the second run, of sockets that the index has just named

	mu      sync.Mutex
	results map[id.Socket]*sluicev1.SocketResult // guarded by mu
}

// run asks each replica for its sockets, several replicas at once.
func (b *controlBatch) run(ctx context.Context, where map[id.Socket]id.Replica) error {
	type job struct {
		to      id.Replica
		sockets []uint64
	}
	byReplica := map[id.Replica][]uint64{}
	for socket, to := range where {
		byReplica[to] = append(byReplica[to], uint64(socket))
	}
	var jobs []job
	for to, sockets := range byReplica {
		for part := range slices.Chunk(sockets, b.s.cfg.Work.Chunk) {
			jobs = append(jobs, job{to, part})
		}
	}
	return b.s.parallel(ctx, len(jobs), func(ctx context.Context, i int) error {
		b.ask(ctx, jobs[i].to, jobs[i].sockets)
		return nil
	})
}

func (b *controlBatch) ask(ctx context.Context, to id.Replica, sockets []uint64) {
	resp, err := b.s.deps.Mesh.Control(ctx, to, &meshv1.ControlRequest{
		Op: b.op.Op, Sockets: sockets, Documents: b.op.Documents,
		Reason: b.op.Reason, Close: b.op.Close, Namespace: b.op.Namespace,
	})
	if err != nil {
		outcome := b.s.outcomeOfError(err)
		reason := reasons[outcome]
		if outcome == sluicev1.Outcome_OUTCOME_OFFLINE {
			reason = reasonUnreached
			if b.moving {
				outcome = youngProcess
			}
		}
		for _, socket := range sockets {
			b.set(id.Socket(socket), outcome, reason)
		}
		return
	}
	for _, socket := range sockets { // a gateway that leaves one out knows nothing of it
		b.set(id.Socket(socket), sluicev1.Outcome_OUTCOME_TIMEOUT, reasons[sluicev1.Outcome_OUTCOME_TIMEOUT])
	}
	for _, r := range resp.GetResults() {
		if !slices.Contains(sockets, r.GetSocket()) {
			continue // not asked for
		}
		outcome, reason := outcomeOf(r.GetOutcome()), r.GetReason()
		if r.GetOutcome() == meshv1.Outcome_OUTCOME_REFUSED {
			outcome = sluicev1.Outcome_OUTCOME_UNSPECIFIED // the reason says it
		}
		if reason == "" || outcome == sluicev1.Outcome_OUTCOME_ACKED {
			reason = reasons[outcome]
		}
		b.set(id.Socket(r.GetSocket()), outcome, reason)
	}
}

var reasons = map[sluicev1.Outcome]string{
	sluicev1.Outcome_OUTCOME_UNSPECIFIED: "refused",
	sluicev1.Outcome_OUTCOME_OFFLINE:     "offline",
	sluicev1.Outcome_OUTCOME_OVERLOADED:  "overloaded",
	sluicev1.Outcome_OUTCOME_TIMEOUT:     "timeout",
}

// reasonUnreached tells an offline that no gateway has answered.
const reasonUnreached = "no_gateway"

func (b *controlBatch) set(socket id.Socket, outcome sluicev1.Outcome, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results[socket] = &sluicev1.SocketResult{Socket: socket.String(), Outcome: outcome, Reason: reason}
}

// moved looks for the sockets that were not where their ids say.
func (b *controlBatch) moved(ctx context.Context) (map[id.Socket]id.Replica, error) {
	var away []id.Socket
	for socket, r := range b.results {
		if r.Outcome == sluicev1.Outcome_OUTCOME_OFFLINE {
			away = append(away, socket)
		}
	}
	found, failed, err := b.s.clients(ctx, away)
	if err != nil {
		return nil, err
	}
	for socket := range failed {
		b.set(socket, sluicev1.Outcome_OUTCOME_TIMEOUT, "lookup")
	}
	to := map[id.Socket]id.Replica{}
	for socket, c := range found {
		switch {
		case c.Replica != socket.Replica():
			to[socket] = c.Replica
		case b.results[socket].Reason == reasonUnreached:
			b.set(socket, youngProcess, reasonUnreached)
		}
	}
	return to, nil
}
