package component

import "errors"

var (
	// ErrClosed means that the Client was closed.
	ErrClosed = errors.New("component: client is closed")
	// ErrNoReply means that the event's client does not wait for an answer.
	ErrNoReply = errors.New("component: event wants no reply")
	// ErrOffline means that the client is not connected any more.
	ErrOffline = errors.New("component: client is offline")
	// ErrHandlers means that handlers still ran when Subscribe gave up waiting.
	ErrHandlers = errors.New("component: handlers still running")
	// ErrNotFound means that there is no such socket.
	ErrNotFound = errors.New("component: not found")
)
