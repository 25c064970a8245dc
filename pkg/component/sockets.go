package component

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
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
	resp, err := unary(ctx, c, "get socket", true, &sluicev1.GetSocketRequest{Socket: id}, c.rpc.GetSocket)
	if err != nil {
		return Socket{}, err
	}
	return socket(resp.GetSocket()), nil
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
	return func(yield func(Socket, error) bool) {
		for token := ""; ; {
			page, next, err := c.ListSockets(ctx, l, token)
			if err != nil {
				yield(Socket{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if next == "" || next == token {
				return
			}
			token = next
		}
	}
}

// ListSockets fetches one page, and the token of the next one: empty after the
// last. The token of the first page is empty.
func (c *Client) ListSockets(ctx context.Context, l List, token string) (page []Socket, next string, err error) {
	req := &sluicev1.ListSocketsRequest{PageSize: uint32(max(l.PageSize, 0)), PageToken: token, Details: l.Details}
	switch {
	case !l.Of.valid():
		return nil, "", ErrOneTarget
	case l.Of.User != "":
		req.Of = &sluicev1.ListSocketsRequest_User{User: l.Of.User}
	default:
		req.Of = &sluicev1.ListSocketsRequest_Document{Document: l.Of.Document}
	}
	resp, err := unary(ctx, c, "list sockets", true, req, c.rpc.ListSockets)
	if err != nil {
		return nil, "", err
	}
	page = make([]Socket, len(resp.GetSockets()))
	for i, s := range resp.GetSockets() {
		page[i] = socket(s)
	}
	return page, resp.GetNextPageToken(), nil
}

// CountSockets counts the sockets of a user or of a document.
func (c *Client) CountSockets(ctx context.Context, of Of) (uint64, error) {
	req := new(sluicev1.CountSocketsRequest)
	switch {
	case !of.valid():
		return 0, ErrOneTarget
	case of.User != "":
		req.Of = &sluicev1.CountSocketsRequest_User{User: of.User}
	default:
		req.Of = &sluicev1.CountSocketsRequest_Document{Document: of.Document}
	}
	resp, err := unary(ctx, c, "count sockets", true, req, c.rpc.CountSockets)
	return resp.GetSockets(), err
}

func (of Of) valid() bool { return (of.User == "") != (of.Document == "") }

func socket(s *sluicev1.Socket) Socket {
	return Socket{
		ID:            s.GetId(),
		User:          s.GetUser(),
		Documents:     s.GetDocuments(),
		Replica:       s.GetReplica(),
		AuthType:      s.GetAuthType(),
		ClientVersion: s.GetClientVersion(),
		Locale:        s.GetLocale(),
		Since:         moment(s.GetSince()),
		Seen:          moment(s.GetSeen()),
	}
}

// moment is the zero time for a timestamp that is not set.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
