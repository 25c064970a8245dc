package session

import (
	"errors"
	"time"

	"sluice/pkg/id"
)

// Client is what the index knows of one socket. Docs is read-only: it may be
// shared with the gateway that holds the socket.
type Client struct {
	Socket        id.Socket
	User          id.User // empty: anonymous, then it is in no user's list
	Docs          []id.Doc
	Replica       id.Replica
	Boot          string
	AuthType      string
	ClientVersion string
	Locale        string
	Since         time.Time // connected at
	Seen          time.Time // last sign of life; in Redis up to RefreshEvery old
}

// Seen is one line of a list of sockets.
type Seen struct {
	Socket id.Socket
	At     time.Time // last sign of life known to Redis
}

// Node is a running replica. A replica that was restarted under the same number
// is another Node, because its Boot differs.
type Node struct {
	Replica id.Replica
	Boot    string
}

// Local is what a gateway shows of itself. It is the truth; Redis only repeats
// it. Whoever changes it must do so before telling the Index: hold the socket,
// then Add; drop it, then Remove; and likewise for Join and Leave. The Index
// reads it again after each write and takes back what is no longer true.
//
// The methods are called from several goroutines and must not block.
type Local interface {
	// Each calls f with every socket held, until f returns false.
	Each(f func(id.Socket) bool)
	// Lookup returns a socket as it is now. Docs must not change afterwards.
	Lookup(id.Socket) (Client, bool)
	// Holds tells whether any socket held is a member of the document.
	Holds(id.Doc) bool
}

// Fenced may be implemented by a Local that wants to know that it was taken for
// dead: the process did not reach Redis for longer than LeaseTTL and a survivor
// has swept its sockets, so Disconnect events were sent for sockets that live.
// The Index puts the entries back by itself.
type Fenced interface {
	Fenced()
}

var (
	// ErrNotFound is returned for a socket that does not exist, or whose
	// replica is dead.
	ErrNotFound = errors.New("no such socket")
	// ErrSuperseded ends Run: a younger process holds this replica number.
	// What this process still holds counts as dead; it must stop.
	ErrSuperseded = errors.New("the replica number belongs to a younger process")
	// ErrCursor is returned for a cursor that OfUser or OfDoc did not give out.
	ErrCursor = errors.New("not a valid cursor")
)
