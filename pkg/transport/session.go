package transport

import "time"

// Session is one client's Engine.IO session, over whatever carries it at the
// moment. All methods may be called from any goroutine and never block.
type Session struct{ id uint64 }

// ID is the number that Hooks.NewID gave the session.
func (s *Session) ID() uint64 { return s.id }

// SID is the secret name of the session. Whoever has it can speak for the
// client: do not log or store it.
func (s *Session) SID() string { return "" }

// Protocol is the Engine.IO generation, 3 or 4.
func (s *Session) Protocol() int { return 4 }

// Transport is "polling" or "websocket", as of now.
func (s *Session) Transport() string { return "polling" }

// RemoteAddr is the address of the request that opened the session.
func (s *Session) RemoteAddr() string { return "" }

// LastSeen is when the client was last heard of: any packet counts.
func (s *Session) LastSeen() time.Time { return time.Time{} }

// Send passes f to the client. It never blocks: what the connection does not
// take at once is queued, up to Config.BacklogBytes. Above that the session is
// closed with ReasonSlow and ErrSlow returned. ErrClosed after Close.
func (s *Session) Send(f *Frame) error { return ErrClosed }

// SendVolatile is Send for what is worthless when late: f is dropped with
// ErrBehind when anything older is still queued or no poll waits for it.
func (s *Session) SendVolatile(f *Frame) error { return ErrClosed }

// Close ends the session. It returns at once; Receiver.Closed follows from
// another goroutine (or from the one inside Receiver.Message when that returns).
// The first reason wins.
func (s *Session) Close(reason Reason) {}

// CloseAfterFlush ends the session once what was sent before has left, or
// Config.FlushTimeout is over. Send answers ErrClosed from now on.
func (s *Session) CloseAfterFlush(reason Reason) {}

// Pending is how many bytes wait to leave.
func (s *Session) Pending() int { return 0 }
