package component

import "context"

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

// Join makes sockets members of documents, at most 64.
func (c *Client) Join(ctx context.Context, who Who, documents ...string) ([]Change, error) {
	return nil, ErrClosed
}

// Leave ends memberships.
func (c *Client) Leave(ctx context.Context, who Who, documents ...string) ([]Change, error) {
	return nil, ErrClosed
}

// Kick disconnects sockets.
type Kick struct {
	Who Who
	// Reason is told to the client; empty means "kicked".
	Reason string
	// Close ends the whole connection, not only the namespace.
	Close bool
	// Namespace is the one to disconnect; empty means "/".
	Namespace string
}

// Kick disconnects sockets.
func (c *Client) Kick(ctx context.Context, k Kick) ([]Change, error) { return nil, ErrClosed }
