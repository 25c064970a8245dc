package transport

import "sluice/pkg/reason"

// Why the program that runs the server may close a session.
const (
	ReasonDrain    = reason.Drain
	ReasonRefused  = reason.Refused
	ReasonExpired  = reason.Expired
	ReasonKicked   = reason.Kicked
	ReasonProtocol = reason.Protocol
)
