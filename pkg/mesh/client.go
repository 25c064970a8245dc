package mesh

import (
	"context"
	"net/http"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// Client calls the processes of a Directory. It may be used from any number of
// goroutines, also before Run.
type Client struct {
	cfg Config
	dir Directory
	log *elog.Component
	m   *Metrics
}

// NewClient returns a client; it connects when it is used.
func NewClient(cfg Config, dir Directory, log *elog.Component, m *Metrics) *Client {
	return &Client{cfg: cfg, dir: dir, log: log, m: m}
}

// Run closes what is idle until ctx ends, then closes the client.
func (c *Client) Run(ctx context.Context) error {
	<-ctx.Done()
	c.Close()
	return nil
}

// Close ends all calls, drops what is queued and returns when every goroutine
// of the client has ended.
func (c *Client) Close() {}

// Deliver queues an ephemeral push for a replica and never blocks. The body
// must not be changed afterwards. Errors: ErrUnknown, ErrBusy, ErrTooLarge,
// ErrClosed.
func (c *Client) Deliver(to id.Replica, body []byte) error { return ErrClosed }

// Call emits to one socket and waits for its answer. The boot id is filled in.
func (c *Client) Call(ctx context.Context, to id.Replica, req *meshv1.CallRequest) (*meshv1.CallResponse, error) {
	return nil, ErrClosed
}

// Control joins, leaves or disconnects sockets. The boot id is filled in.
func (c *Client) Control(ctx context.Context, to id.Replica, req *meshv1.ControlRequest) (*meshv1.ControlResponse, error) {
	return nil, ErrClosed
}

// Reply answers a client's event. The boot id is filled in.
func (c *Client) Reply(ctx context.Context, to id.Replica, req *meshv1.ReplyRequest) (*meshv1.ReplyResponse, error) {
	return nil, ErrClosed
}

// Forward lets a replica serve r and passes its response to w. A nil error
// means that an answer was given; with any error nothing has been written, and
// the caller answers.
func (c *Client) Forward(w http.ResponseWriter, r *http.Request, to id.Replica) error {
	return ErrClosed
}
