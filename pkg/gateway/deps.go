package gateway

import (
	"context"
	"net/http"
	"time"

	"sluice/pkg/auth"
	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/session"
	"sluice/pkg/stream"
)

// Deps is what a gateway needs of the systems around it. All are required.
type Deps struct {
	IDs      IDs
	Verifier Verifier
	// Revocations are the tokens that were withdrawn.
	Revocations Revocations
	Uplink      Uplink
	Downlink    Downlink
	Stream      Stream
	Index       Index
	Mesh        Forwarder

	Policy  auth.Policy // how identities end
	UpTopic string      // Kafka topic of client events
	Replica id.Replica
	Boot    string
	Version string // of this program, for the record headers
}

// IDs mints ids; *id.Generator.
type IDs interface {
	Socket() (id.Socket, error)
	Message() (id.Message, error)
}

// Verifier turns a token into an identity; *auth.Verifier.
type Verifier interface {
	Verify(ctx context.Context, authType, token string) (auth.Identity, error)
}

// Revocations tells which tokens were withdrawn; *session.Revocations.
type Revocations interface {
	Revoked(ctx context.Context, t session.Token) (bool, error)
	Recent(ctx context.Context, since time.Time) ([]session.Revocation, error)
}

// Uplink takes records for Kafka; *bus.Producer.
type Uplink interface {
	EnqueueFrom(rec *bus.Record, done func(error)) error
}

// Downlink delivers the records of ws.down to the relay; *bus.Consumer.
type Downlink interface {
	Run(ctx context.Context, handle func(ctx context.Context, d *bus.Delivery)) error
}

// Stream appends durable pushes and broadcasts them; *stream.Stream.
type Stream interface {
	AppendMany(ctx context.Context, items []stream.Item) []stream.Result
	Run(ctx context.Context, handle func(stream.Entry)) error
	ShardOf(t id.Target) int
}

// Index tells everybody which sockets are here; *session.Index.
type Index interface {
	Add(ctx context.Context, c session.Client) error
	Remove(ctx context.Context, clients ...session.Client) error
	Join(ctx context.Context, s id.Socket, docs ...id.Doc) error
	Leave(ctx context.Context, s id.Socket, docs ...id.Doc) error
}

// Forwarder serves a request whose session lives on another replica;
// *mesh.Client.
type Forwarder interface {
	Forward(w http.ResponseWriter, r *http.Request, to id.Replica) error
}
