package replica

import (
	"errors"
	"fmt"
	"time"

	"sluice/pkg/id"
)

var (
	// ErrTakenOver is returned by Run and Release when the number belongs to another
	// process by now: the same name was started again, or a fixed number was
	// claimed. The lease is not extended any more; leave and start anew.
	ErrTakenOver = errors.New("another process has taken over the replica number")
	// ErrExhausted is wrapped by the error of Register when every number is in use
	// or in quarantine.
	ErrExhausted = errors.New("no replica number is free")
	// ErrNotRegistered is returned by what needs a number before Register succeeded.
	ErrNotRegistered = errors.New("not registered")
	// ErrClock is returned by Register when the clock stands before id.Epoch.
	ErrClock = errors.New("the clock stands before the beginning of id time")

	// errContention ends a Register that lost every race; the caller tries again.
	errContention = errors.New("other starters were faster every time")
)

// NumberTakenError is returned by Register when the fixed number is in the hands of
// another living process.
type NumberTakenError struct {
	Replica     id.Replica
	Holder      Identity
	HeartbeatAt time.Time
}

func (e *NumberTakenError) Error() string {
	return fmt.Sprintf("replica number %d is held by %s %s %s at %s, last heartbeat at %s",
		e.Replica, e.Holder.Service, e.Holder.Name, e.Holder.Version, e.Holder.Address,
		e.HeartbeatAt.UTC().Format(time.RFC3339))
}
