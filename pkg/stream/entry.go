package stream

import (
	"errors"

	"sluice/pkg/id"
)

// Entry is one durable message at its place in the order of its shard. The
// sequence of a shard rises by one with every message of any of its targets; it
// rises over epochs too.
//
// Run hands out entries with a Gap as well: they are no message but the news
// that messages are missing, and only Shard, Epoch and Gap are set.
type Entry struct {
	Shard  int
	Epoch  uint64
	Seq    uint64
	Target id.Target
	Mid    id.Message
	Body   []byte
	Gap    *Gap
}

// Gap tells that messages of a shard cannot be delivered. Whoever waited for
// them must be told before anything later is delivered.
type Gap struct {
	From, To uint64    // the first and the last sequence missing
	Target   id.Target // the only target concerned; the zero Target means that every target of the shard may be
	Reason   GapReason
}

// GapReason is why a gap could not be filled. It is also a metric label.
type GapReason string

const (
	// GapTrimmed: the history no longer reaches back far enough.
	GapTrimmed GapReason = "trimmed"
	// GapEpoch: Redis was restarted, replaced or emptied, and nobody knows what
	// it had accepted last.
	GapEpoch GapReason = "epoch"
)

// Item is one message for AppendMany.
type Item struct {
	Target id.Target
	Mid    id.Message
	Body   []byte
}

// Result is what became of one Item. When Err is not nil the outcome is
// unknown: append the same item again.
type Result struct {
	Entry Entry
	Dup   bool
	Err   error
}

// History is what Read found: every message to the target after the position
// that was asked for and up to Seq, in order.
type History struct {
	Shard   int
	Epoch   uint64
	Seq     uint64 // the shard's sequence at the moment of reading
	Entries []Entry
}

// State is what is known of an idempotency key.
type State uint8

const (
	// Fresh: the key was not known; it is now pending with the given mid.
	Fresh State = iota
	// Pending: somebody reserved the key with the same content and has not
	// reported success. Go on with the mid returned.
	Pending
	// Done: the push was accepted. Answer with the mid returned.
	Done
	// Conflict: the key was used with other content.
	Conflict
)

// String returns the state in a word, fit for a metric label.
func (s State) String() string {
	switch s {
	case Fresh:
		return "fresh"
	case Pending:
		return "pending"
	case Done:
		return "done"
	case Conflict:
		return "conflict"
	}
	return "unknown"
}

// Reservation is the answer to Reserve. Mid is the one to use: the caller's if
// the State is Fresh, else the one that was reserved first.
type Reservation struct {
	Mid   id.Message
	State State
}

var (
	// ErrEpoch is returned by Read for a position of another epoch: what came
	// after it cannot be known.
	ErrEpoch = errors.New("the position belongs to another epoch")
	// ErrTrimmed is returned by Read when messages after the position are gone,
	// or when the position is so old that this cannot be excluded.
	ErrTrimmed = errors.New("the history does not reach back to the position")
)
