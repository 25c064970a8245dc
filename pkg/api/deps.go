package api

import (
	"context"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	"sluice/pkg/session"
	"sluice/pkg/stream"
)

// Deps is what the service needs of the systems around it. All fields are required
// unless they say otherwise.
type Deps struct {
	IDs      IDs
	Producer Producer
	Keys     Keys
	Index    Index
	Mesh     Mesh
	// Revocations remembers which tokens were withdrawn.
	Revocations Revocations
	// Consumer makes a new member of a consumer group on the topic of client events.
	// It is called for each component that subscribes, and again after a failure.
	Consumer func(group string) Consumer

	// Gone and Busy are what Mesh's errors wrap when a call certainly had no effect:
	// the process is gone (mesh.ErrUnknown), or there is no room (mesh.ErrBusy).
	Gone, Busy error

	DownTopic string // Kafka topic of durable pushes
	Version   string // of this program, for the record headers

	Log     *elog.Component
	Metrics *Metrics
	Now     func() time.Time // nil: time.Now
}

// IDs mints message ids; *id.Generator.
type IDs interface {
	Message() (id.Message, error)
}

// Producer writes records to Kafka; *bus.Producer.
type Producer interface {
	Enqueue(rec bus.Record, done func(error)) error
}

// Keys remembers idempotency keys; *stream.Stream.
type Keys interface {
	Reserve(ctx context.Context, component, key string, digest [32]byte, mid id.Message) (stream.Reservation, error)
	Done(ctx context.Context, component, key string) error
}

// Index tells who is where; *session.Index.
type Index interface {
	Get(ctx context.Context, s id.Socket) (session.Client, error)
	GetMany(ctx context.Context, sockets []id.Socket) ([]session.Client, error)
	OfUser(ctx context.Context, u id.User, after string, limit int) ([]session.Seen, string, error)
	OfDoc(ctx context.Context, d id.Doc, after string, limit int) ([]session.Seen, string, error)
	CountUser(ctx context.Context, u id.User) (int, error)
	CountDoc(ctx context.Context, d id.Doc) (int, error)
	Nodes(ctx context.Context, d id.Doc) ([]id.Replica, error)
	Living(ctx context.Context) ([]session.Node, error)
}

// Mesh reaches the gateways; *mesh.Client.
type Mesh interface {
	Deliver(to id.Replica, body []byte) error
	Call(ctx context.Context, to id.Replica, req *meshv1.CallRequest) (*meshv1.CallResponse, error)
	Control(ctx context.Context, to id.Replica, req *meshv1.ControlRequest) (*meshv1.ControlResponse, error)
	Reply(ctx context.Context, to id.Replica, req *meshv1.ReplyRequest) (*meshv1.ReplyResponse, error)
	Revoke(ctx context.Context, to id.Replica, req *meshv1.RevokeRequest) (*meshv1.RevokeResponse, error)
}

// Revocations withdraws tokens; *session.Revocations.
type Revocations interface {
	Remember(ctx context.Context, what session.Revocation) error
}

// Consumer hands over the records of a topic, see bus.Consumer.Run.
type Consumer interface {
	Run(ctx context.Context, handle func(ctx context.Context, d *bus.Delivery)) error
}
