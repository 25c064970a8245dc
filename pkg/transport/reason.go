package transport

import "errors"

// Reason says why a session ended. The same value is the label of the metric
// that counts closes, so the set is closed: add a constant here before using a
// new one.
type Reason string

const (
	ReasonClientClose    Reason = "client_close"    // the client said goodbye: close packet or close frame
	ReasonTransportClose Reason = "transport_close" // the connection was lost, or a waiting GET was aborted
	ReasonTransportError Reason = "transport_error" // the connection could not be taken over or broke the WebSocket rules
	ReasonPingTimeout    Reason = "ping_timeout"    // nothing was heard for too long
	ReasonParse          Reason = "parse_error"     // what came is not Engine.IO, or not allowed in this state
	ReasonTooLarge       Reason = "too_large"       // a WebSocket message above max_payload
	ReasonText           Reason = "invalid_text"    // a text message that is not UTF-8
	ReasonFlood          Reason = "flood"           // too many fragments or control frames
	ReasonOverlap        Reason = "overlap"         // two polls of one kind at once
	ReasonSlow           Reason = "slow"            // the client does not take what is sent to it
	ReasonServer         Reason = "server_close"    // closed by the program that runs the server
	ReasonDrain          Reason = "drain"           // the replica is leaving
	ReasonRefused        Reason = "refused"         // closed by the program because the client broke its rules
	ReasonExpired        Reason = "expired"         // what allowed the session has run out
	ReasonKicked         Reason = "kicked"          // closed on request of a component or an operator
	ReasonProtocol       Reason = "protocol"        // the layer above could not make sense of a message
)

var (
	// ErrClosed is returned by Send once the session is closed or closing.
	ErrClosed = errors.New("transport: session closed")
	// ErrSlow is returned by the Send that overflowed the backlog. The session
	// is closing with ReasonSlow.
	ErrSlow = errors.New("transport: session too slow")
	// ErrBehind is returned by SendVolatile when the frame was dropped because
	// something older has not left yet, or no poll is waiting for it.
	ErrBehind = errors.New("transport: session behind")
)
