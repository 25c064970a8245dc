package socketio

import (
	"errors"
	"fmt"
)

// Limits bounds what a parser accepts. A field that is 0 stands for its default,
// so the zero value is usable.
type Limits struct {
	// Attachments is how many binary attachments one packet may announce.
	// Default 10, at most 64. Raise it for clients that send many small
	// buffers in one event; the memory of all of them stays bounded by
	// MessageBytes.
	Attachments int `toml:"attachments"`

	// Depth is how many JSON arrays and objects may be open at once, the
	// argument list being the first. Default 32, at most 1000. Each level
	// costs stack while it is scanned.
	Depth int `toml:"depth"`

	// EventName is the longest event name, in bytes of UTF-8 after escapes
	// are resolved. Default 64, at most 1024.
	EventName int `toml:"event_name"`

	// Namespace is the longest namespace in bytes, the slash included and a
	// query not. Default 128, at most 1024.
	Namespace int `toml:"namespace"`

	// Query is the longest query behind a namespace in bytes: where Rev4
	// clients put their auth. Default 8192, at most 65536. Raise it when
	// tokens are larger.
	Query int `toml:"query"`

	// MessageBytes is how large one event may be in memory, in bytes: its
	// JSON and all attachments together, also when the JSON was made from
	// MessagePack, which is shorter on the wire. At most 64 MiB. Default 0: a
	// gateway takes the transport's max_payload, others 1,000,000.
	MessageBytes int `toml:"message_bytes"`
}

// DefaultLimits gives the limits that a zero Limits stands for.
func DefaultLimits() Limits {
	return Limits{Attachments: 10, Depth: 32, EventName: 64, Namespace: 128, Query: 8192, MessageBytes: 1_000_000}
}

// Validate reports every field that is out of its range, all at once.
func (l *Limits) Validate() error {
	var errs []error
	check := func(key string, v, most int) {
		if v < 0 || v > most {
			errs = append(errs, fmt.Errorf("%s: must be between 0 (the default) and %d, is %d", key, most, v))
		}
	}
	check("attachments", l.Attachments, 64)
	check("depth", l.Depth, 1000)
	check("event_name", l.EventName, 1024)
	check("namespace", l.Namespace, 1024)
	check("query", l.Query, 65536)
	check("message_bytes", l.MessageBytes, 64<<20)
	return errors.Join(errs...)
}

// filled replaces fields that are unset by their defaults.
func (l Limits) filled() Limits {
	d := DefaultLimits()
	fill := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	fill(&l.Attachments, d.Attachments)
	fill(&l.Depth, d.Depth)
	fill(&l.EventName, d.EventName)
	fill(&l.Namespace, d.Namespace)
	fill(&l.Query, d.Query)
	fill(&l.MessageBytes, d.MessageBytes)
	return l
}
