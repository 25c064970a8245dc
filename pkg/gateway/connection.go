package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"sluice/pkg/id"
	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

// mainSpace is the namespace that every client has unless it asks for another.
const mainSpace = "/"

// wireForm is how a connection's client writes Socket.IO packets.
type wireForm uint8

const (
	formRev5    wireForm = iota // JSON, Socket.IO 3.x and 4.x clients
	formRev4                    // JSON, Socket.IO 1.x and 2.x clients
	formMsgpack                 // socket.io-msgpack-parser 3, Socket.IO 3.x and 4.x clients
	formOldPack                 // socket.io-msgpack-parser 2, Socket.IO 2.x clients
	forms
)

// Connection is one client connection: a socket. It comes from GetConn and
// goes back through PutConn when the transport has closed. There are hundreds of
// thousands: what is not needed while a client is idle is behind in and out, and
// what can be found elsewhere is not here at all. A test pins the size.
type Connection struct {
	gen      atomic.Uint32 // odd numbers do not mean anything; it only changes
	nextCall uint32        // the acknowledgement that the next call asks for; guarded by shard.mu

	mark atomic.Uint64 // of the handshake's token, or the first CONNECT's; 0: none

	// Set when the session opens, before anybody else can see the connection.
	shard   *shard
	session *transport.Session
	id      id.Socket

	// Owned by the receiver: calls of one session never overlap.
	in    *inbox   // nil while nothing is half done
	shown uint32   // when the last new token was, in renewTicks since the beginning; 0: never
	ended bool     // broke the rules: what else it sends is not read
	form  wireForm // fixed by the first packet

	// Guarded by shard.mu.
	member bool // in shard.conns, after the first CONNECT
	main   bool // connected to "/"
	who    bearer
	rooms  memberships // the user's room and the documents'
	out    *outbox     // nil while nothing is on its way
}

// inbox is what a connection has half received. It is owned by the receiver, and
// gone when it is empty.
type inbox struct {
	asm   *assembly    // a binary event of which attachments are missing
	query *credentials // what the handshake's query said, until nothing asks for it any more
	trace string       // traceparent of the handshake, for the Connect event
	stray int32        // acknowledgements that nobody asked for
}

// assembly is a binary event that is being received.
type assembly struct {
	socketio.Assembler
	over *atomic.Bool // the event is complete; apart, for what is told of it must not hold the event
}

// outbox is what a connection has besides "/" and its rooms, for the few that
// have any of it. Guarded by shard.mu.
type outbox struct {
	spaces []string // other namespaces connected to
	calls  []call   // waiting for acknowledgements
	late   *lateSet // ephemeral events waiting for room
	recent *recentPushes
}

// call is an acknowledgement that is waited for. Whoever takes it out of the
// outbox sends once.
type call struct {
	ack    uint32
	answer chan callAnswer
}

var connections = sync.Pool{New: func() any { return new(Connection) }}

// GetConn returns a blank connection.
func GetConn() *Connection { return connections.Get().(*Connection) }

// PutConn takes c back. The caller must be the last to use it: the transport
// has reported Closed, and c is in no shard. References that outlive it notice
// by its generation.
func PutConn(c *Connection) {
	gen := c.gen.Add(1)
	resetConnection(c)
	c.gen.Store(gen)
	connections.Put(c)
}

func resetConnection(c *Connection) {
	c.mark.Store(0)
	c.shard, c.session, c.id = nil, nil, 0
	c.in, c.shown, c.ended, c.form = nil, 0, false, formRev5
	c.member, c.main, c.nextCall, c.who = false, false, 0, bearer{}
	c.rooms, c.out = memberships{}, nil
}

// since is when the connection began: the time in its id.
func (c *Connection) since() time.Time { return id.Time(c.id.Millis()) }

// inbox returns the connection's, a new one if it has none.
func (c *Connection) inbox() *inbox {
	if c.in == nil {
		c.in = new(inbox)
	}
	return c.in
}

// tidyIn drops an inbox with nothing in it.
func (c *Connection) tidyIn() {
	if c.in != nil && *c.in == (inbox{}) {
		c.in = nil
	}
}

// query is what the handshake's query said; nil when it said nothing.
func (c *Connection) query() *credentials {
	if c.in == nil {
		return nil
	}
	return c.in.query
}

// outboxes go back when they are empty: calls to many sockets need one for each,
// for a moment.
var outboxes = sync.Pool{New: func() any { return new(outbox) }}

func (c *Connection) outboxLocked() *outbox {
	if c.out == nil {
		c.out = outboxes.Get().(*outbox)
	}
	return c.out
}

// tidyLocked gives an outbox back that has nothing in it.
func (c *Connection) tidyLocked() {
	o := c.out
	if o == nil || len(o.spaces) > 0 || len(o.calls) > 0 || o.late != nil || o.recent != nil {
		return
	}
	c.out, o.spaces = nil, nil
	if cap(o.calls) > 1 {
		o.calls = nil
	}
	outboxes.Put(o)
}

// ref is a reference to a connection that may have been pooled meanwhile.
type ref struct {
	conn    *Connection
	gen     uint32
	form    wireForm
	session *transport.Session
	shard   *shard
}

func (c *Connection) ref() ref {
	return ref{conn: c, gen: c.gen.Load(), form: c.form, session: c.session, shard: c.shard}
}

// send hands f to the connection unless its object serves another one by now.
// The session is never reused, so that a race with PutConn meets a closed
// session and not somebody else's.
func (r ref) send(f *transport.Frame) error {
	if r.conn.gen.Load() != r.gen {
		return transport.ErrClosed
	}
	return r.session.Send(f)
}

// sendIn is send with a batch, which has to be flushed.
func (r ref) sendIn(t *transport.Batch, f *transport.Frame) error {
	if r.conn.gen.Load() != r.gen {
		return transport.ErrClosed
	}
	return t.Send(r.session, f)
}
