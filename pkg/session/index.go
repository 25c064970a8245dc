package session

import (
	"context"
	"errors"
	"time"

	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
)

// Index is the session index: who is where, kept in Redis. Look-ups work in any
// process; changes are for the gateway that holds the socket, and Run is for
// gateways. All methods may be called at once.
type Index struct {
	cfg Config
	log *elog.Component
	m   *Metrics
	now func() time.Time
}

// New returns an Index that uses redis. It does no I/O.
func New(cfg Config, redis *eredis.Component, log *elog.Component, m *Metrics, now func() time.Time) *Index {
	return &Index{cfg: cfg, log: log, m: m, now: now}
}

var errTodo = errors.New("not yet")

// Add enters a new socket with its documents.
func (i *Index) Add(ctx context.Context, c Client) error { return errTodo }

// Remove takes a socket out, with all its documents. It is final.
func (i *Index) Remove(ctx context.Context, c Client) error { return errTodo }

// Join makes a socket of this replica a member of a document.
func (i *Index) Join(ctx context.Context, s id.Socket, d id.Doc) error { return errTodo }

// Leave ends a membership.
func (i *Index) Leave(ctx context.Context, s id.Socket, d id.Doc) error { return errTodo }

// Get returns one socket, or ErrNotFound.
func (i *Index) Get(ctx context.Context, s id.Socket) (Client, error) { return Client{}, errTodo }

// GetMany returns those of the sockets that exist, in the order asked for.
func (i *Index) GetMany(ctx context.Context, sockets []id.Socket) ([]Client, error) {
	return nil, errTodo
}

// OfUser lists a user's sockets in pages of at most limit.
func (i *Index) OfUser(ctx context.Context, u id.User, after string, limit int) ([]Seen, string, error) {
	return nil, "", errTodo
}

// OfDoc lists a document's members in pages of at most limit.
func (i *Index) OfDoc(ctx context.Context, d id.Doc, after string, limit int) ([]Seen, string, error) {
	return nil, "", errTodo
}

// CountUser counts a user's sockets.
func (i *Index) CountUser(ctx context.Context, u id.User) (int, error) { return 0, errTodo }

// CountDoc counts a document's members.
func (i *Index) CountDoc(ctx context.Context, d id.Doc) (int, error) { return 0, errTodo }

// Nodes returns the living replicas that have members of the document.
func (i *Index) Nodes(ctx context.Context, d id.Doc) ([]id.Replica, error) { return nil, errTodo }

// Living returns the replicas whose lease has not ended.
func (i *Index) Living(ctx context.Context) ([]Node, error) { return nil, errTodo }

// Run keeps this replica's part of the index until ctx ends.
func (i *Index) Run(ctx context.Context, r id.Replica, boot string, local Local, lost func(context.Context, Client) error) error {
	return errTodo
}

// Release ends this replica's lease early.
func (i *Index) Release(ctx context.Context, r id.Replica) error { return errTodo }
