package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"sluice/pkg/auth"
	"sluice/pkg/edge"
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
// goes back through PutConn when the transport has closed.
type Connection struct {
	gen  atomic.Uint32 // odd numbers do not mean anything; it only changes
	part atomic.Uint32 // counts binary events: odd while attachments of one are missing
	mark atomic.Uint64 // of the handshake's token, or the first CONNECT's; 0: none

	// Set when the session opens, before anybody else can see the connection.
	gw      *Gateway
	shard   *shard
	session *transport.Session
	id      id.Socket
	since   time.Time
	place   *edge.Place  // among the sessions of the client's address
	query   *credentials // what the handshake's query said; nil after connect
	origin  string       // traceparent of the handshake, for the Connect event

	// Owned by the receiver: calls of one session never overlap.
	asm   *socketio.Assembler // nil while no binary event is being received
	stray int32               // acknowledgements that nobody asked for
	shown uint32              // when the last new token was, in renewTicks since since; 0: never
	ended bool                // broke the rules: what else it sends is not read
	form  wireForm            // fixed by the first packet

	// Guarded by shard.mu.
	identity auth.Identity
	member   bool         // in shard.conns, after the first CONNECT
	main     bool         // connected to "/"
	warned   bool         // that the identity ends
	expired  bool         // the identity has ended, or was revoked; the session is closing
	spaces   []string     // other namespaces connected to
	rooms    []membership // the user's room and the documents'
	walked   uint64       // by the shard's worker, on this walk
	calls    map[uint64]chan callAnswer
	nextCall uint64
	recent   []id.Message // the last pushes that had several targets
	late     *lateSet     // ephemeral events waiting for room
}

var connections = sync.Pool{New: func() any { return new(Connection) }}

// GetConn returns a blank connection.
func GetConn() *Connection { return connections.Get().(*Connection) }

// PutConn takes c back. The caller must be the last to use it: the transport
// has reported Closed, and c is in no shard. References that outlive it notice
// by its generation.
func PutConn(c *Connection) {
	gen := c.gen.Add(1)
	rooms, spaces := c.rooms[:0], c.spaces[:0]
	clear(rooms[:cap(rooms)])
	clear(spaces[:cap(spaces)])
	resetConnection(c)
	c.rooms, c.spaces = rooms, spaces
	c.gen.Store(gen)
	connections.Put(c)
}

func resetConnection(c *Connection) {
	c.gw, c.shard, c.session, c.id = nil, nil, nil, 0
	c.since, c.query, c.origin, c.place = time.Time{}, nil, "", nil
	c.asm, c.stray, c.shown, c.ended, c.form = nil, 0, 0, false, formRev5
	c.part.Store(0)
	c.identity = auth.Identity{}
	c.member, c.main, c.warned, c.expired = false, false, false, false
	c.mark.Store(0)
	c.calls, c.nextCall, c.recent, c.late = nil, 0, nil, nil
	c.walked = 0
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

// inSpaceLocked tells whether the client is connected to the namespace.
func (c *Connection) inSpaceLocked(ns string) bool {
	if ns == mainSpace {
		return c.main
	}
	for _, s := range c.spaces {
		if s == ns {
			return true
		}
	}
	return false
}

// addSpaceLocked reports false when the client was connected to it already.
func (c *Connection) addSpaceLocked(ns string) bool {
	if c.inSpaceLocked(ns) {
		return false
	}
	if ns == mainSpace {
		c.main = true
	} else {
		c.spaces = append(c.spaces, ns)
	}
	return true
}

// dropSpaceLocked reports whether the client was connected to the namespace.
func (c *Connection) dropSpaceLocked(ns string) bool {
	if ns == mainSpace {
		was := c.main
		c.main = false
		return was
	}
	for i, s := range c.spaces {
		if s == ns {
			last := len(c.spaces) - 1
			c.spaces[i], c.spaces[last] = c.spaces[last], ""
			c.spaces = c.spaces[:last]
			return true
		}
	}
	return false
}

// spacesLocked lists the namespaces that the client is connected to.
func (c *Connection) spacesLocked() []string {
	var all []string
	if c.main {
		all = append(all, mainSpace)
	}
	return append(all, c.spaces...)
}

// seenLocked reports whether the connection already got a push with several
// targets, and remembers it. It keeps the last few: the copies of one push
// arrive close together.
func (c *Connection) seenLocked(mid id.Message) bool {
	for _, m := range c.recent {
		if m == mid {
			return true
		}
	}
	const keep = 16
	if len(c.recent) == keep {
		copy(c.recent, c.recent[1:])
		c.recent = c.recent[:keep-1]
	}
	c.recent = append(c.recent, mid)
	return false
}
