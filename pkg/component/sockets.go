package component

import (
	"context"
	"iter"
	"time"
)

// Socket is what Sluice knows of one connection.
type Socket struct {
	ID            string
	User          string
	Documents     []string
	Replica       uint32 // the gateway that holds it
	AuthType      string
	ClientVersion string
	Locale        string
	Since         time.Time // connected
	Seen          time.Time // last sign of life
}

// Of names whose sockets are meant: exactly one of its fields is set.
type Of struct {
	User     string
	Document string
}

// List says which sockets to list, and how.
type List struct {
	Of Of
	// Details fills in all fields of Socket; otherwise only ID and Seen are, which
	// is much cheaper.
	Details bool
	// PageSize is how many are fetched at a time: 1 to 1,000, default 100.
	PageSize int
}

// GetSocket tells what is known of one socket; ErrNotFound when it is gone.
func (c *Client) GetSocket(ctx context.Context, id string) (Socket, error) {
	return Socket{}, ErrClosed
}

// Sockets iterates over the sockets of a user or of a document, fetching pages
// as it goes; each page has a deadline of its own. After an error, which is
// yielded with an empty Socket, it ends. Sockets that come and go meanwhile may
// be missed.
//
//	for s, err := range c.Sockets(ctx, component.List{Of: component.Of{User: "u1"}}) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func (c *Client) Sockets(ctx context.Context, l List) iter.Seq2[Socket, error] {
	return func(yield func(Socket, error) bool) { yield(Socket{}, ErrClosed) }
}

// ListSockets fetches one page, and the token of the next one: empty after the
// last. The token of the first page is empty.
func (c *Client) ListSockets(ctx context.Context, l List, token string) (page []Socket, next string, err error) {
	return nil, "", ErrClosed
}

// CountSockets counts the sockets of a user or of a document.
func (c *Client) CountSockets(ctx context.Context, of Of) (uint64, error) { return 0, ErrClosed }
