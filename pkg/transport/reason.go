package transport

import (
	"errors"

	"sluice/pkg/reason"
)

// Reason says why a session ended; pkg/reason has the table.
type Reason = reason.Reason

// Why sessions end, as this package and those who use it say it.
const (
	ReasonClientClose    = reason.ClientClose    // the client said goodbye: close packet or close frame
	ReasonTransportClose = reason.TransportClose // the connection was lost, or a waiting GET was aborted
	ReasonTransportError = reason.TransportError // the connection could not be taken over or broke the WebSocket rules
	ReasonPingTimeout    = reason.PingTimeout    // nothing was heard for too long
	ReasonParse          = reason.ParseError     // what came is not Engine.IO, or not allowed in this state
	ReasonTooLarge       = reason.TooLarge       // a WebSocket message above max_payload
	ReasonText           = reason.InvalidText    // a text message that is not UTF-8
	ReasonFlood          = reason.Flood          // too many fragments or control frames
	ReasonOverlap        = reason.Overlap        // two polls of one kind at once
	ReasonSlow           = reason.Slow           // the client does not take what is sent to it
	ReasonServer         = reason.ServerClose    // closed by the program that runs the server
	ReasonInternal       = reason.Internal       // its Receiver panicked
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
