package component

import (
	"context"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Who selects sockets, directly or by their users; at most 10,000 names.
type Who struct {
	Sockets []string
	Users   []string
}

// Change says what became of one selected socket.
type Change struct {
	Socket  string
	Outcome Outcome
	Reason  string // why not, as a word
}

// Join makes sockets members of documents, at most 64. There is one Change for
// each socket.
func (c *Client) Join(ctx context.Context, who Who, documents ...string) ([]Change, error) {
	req := &sluicev1.JoinRequest{Who: who.selection(), Documents: documents}
	resp, err := unary(ctx, c, "join", false, req, c.rpc.Join)
	return changes(resp.GetResults()), err
}

// Leave ends memberships. There is one Change for each socket.
func (c *Client) Leave(ctx context.Context, who Who, documents ...string) ([]Change, error) {
	req := &sluicev1.LeaveRequest{Who: who.selection(), Documents: documents}
	resp, err := unary(ctx, c, "leave", false, req, c.rpc.Leave)
	return changes(resp.GetResults()), err
}

// Kick says which sockets to disconnect, and how.
type Kick struct {
	Who Who
	// Reason is told to the client; empty means "kicked".
	Reason string
	// Close ends the whole connection, not only the namespace.
	Close bool
	// Namespace is the one to disconnect; empty means "/".
	Namespace string
}

// Kick disconnects sockets. There is one Change for each.
func (c *Client) Kick(ctx context.Context, k Kick) ([]Change, error) {
	req := &sluicev1.KickRequest{Who: k.Who.selection(), Reason: k.Reason, Close: k.Close, Namespace: k.Namespace}
	resp, err := unary(ctx, c, "kick", false, req, c.rpc.Kick)
	return changes(resp.GetResults()), err
}

func (w Who) selection() *sluicev1.Selection {
	return &sluicev1.Selection{Sockets: w.Sockets, Users: w.Users}
}

func changes(results []*sluicev1.SocketResult) []Change {
	if len(results) == 0 {
		return nil
	}
	out := make([]Change, len(results))
	for i, r := range results {
		out[i] = Change{Socket: r.GetSocket(), Outcome: Outcome(r.GetOutcome()), Reason: r.GetReason()}
	}
	return out
}
