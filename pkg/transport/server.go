package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// Hooks is what the layer above decides. NewID and Open are required.
type Hooks struct {
	// NewID gives the number of a new session. It is the first part of the sid.
	NewID func() (uint64, error)
	// Admit is asked before anything is allocated for a new session; nil means
	// welcome.
	Admit func(r *http.Request) *Refusal
	// Open is told of a new session. It must not keep r. What it sends is
	// queued behind the open packet. Nil refuses the session.
	Open func(s *Session, r *http.Request) Receiver
	// Follow is asked about each later request of a session (poll, post,
	// upgrade), for instance whether it comes from whom the session belongs to.
	// A refusal leaves the session untouched.
	Follow func(s *Session, r *http.Request) *Refusal
	// Foreign is asked about a well-formed sid whose session is not here. True
	// means that it served the request, for instance by forwarding it; false
	// that the sid is unknown.
	Foreign func(w http.ResponseWriter, r *http.Request, id uint64) bool
}

// Refusal is why a request was not let in. Its zero value is 403, code 4,
// "Forbidden".
type Refusal struct {
	Status     int           // HTTP status, 0 = 403 (a WebSocket upgrade always gets 400)
	Code       int           // Engine.IO error code, 0 = 4
	Message    string        // for the client, "" = the code's own text
	RetryAfter time.Duration // sent as Retry-After when positive, rounded up to seconds
	Reason     string        // label of the handshakes metric: a constant, never what a client chose
}

// Receiver takes what a session receives. Calls for one session never overlap
// and come in the order of the wire.
type Receiver interface {
	// Message is one message. data is valid only during the call.
	Message(data []byte, binary bool)
	// Closed is called exactly once, as the last call. It may come from any
	// goroutine, but never from inside Send or Close.
	Closed(reason Reason)
}

// Server keeps Engine.IO sessions alive over WebSocket and HTTP long polling.
type Server struct{}

// NewServer builds a Server. cfg must have been validated.
func NewServer(cfg Config, hooks Hooks, m *Metrics, log *elog.Component) *Server { return &Server{} }

// ServeHTTP answers every Engine.IO request. For a WebSocket it returns as soon
// as the connection is taken over.
func (v *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Run keeps the clocks of all sessions: heartbeats, timeouts. When ctx ends it
// refuses new sessions, closes every session with ReasonServer, and returns
// when all that it started has ended.
func (v *Server) Run(ctx context.Context) error { return nil }

// Len is the number of open sessions.
func (v *Server) Len() int { return 0 }

// Each calls f for each open session until it returns false. Sessions that
// come or go meanwhile may or may not be seen. No lock is held during f.
func (v *Server) Each(f func(*Session) bool) {}
