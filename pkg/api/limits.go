package api

import (
	"fmt"
	"time"
)

// Limits bounds what one request may hold. What is beyond is INVALID_ARGUMENT.
type Limits struct {
	// MaxTargets is the largest number of sockets, users and documents that one
	// request names, all lists together. Default 10,000. Lower it when single
	// pushes take too long; a request of that many names must fit max_message.
	MaxTargets int `toml:"max_targets"`
	// MaxPayload is the largest size of an event's arguments and attachments
	// together, in bytes. Default 1,000,000, which fits into Kafka's default
	// message size with its headers; raise both or none.
	MaxPayload int `toml:"max_payload"`
	// MaxPushBytes bounds payload times targets of one push, in bytes: that much
	// is written to Kafka. Default 67,108,864 (64 MiB).
	MaxPushBytes int `toml:"max_push_bytes"`
	// MaxAttachments is the largest number of binary arguments. Default 10, which
	// is what Socket.IO's own parser takes; at most 63.
	MaxAttachments int `toml:"max_attachments"`
	// MaxDepth is how deeply arrays and objects may be nested in arguments, the
	// argument list counted. Default 32, at most 1,000: checking recurses.
	MaxDepth int `toml:"max_depth"`
	// MaxEventName is the length of an event's name in bytes. Default 64.
	MaxEventName int `toml:"max_event_name"`
	// MaxNamespace is the length of a namespace in bytes. Default 128.
	MaxNamespace int `toml:"max_namespace"`
	// MaxExcept is the largest number of sockets that a push leaves out. They are
	// repeated in the record of each target. Default 1,000.
	MaxExcept int `toml:"max_except"`
	// MaxFilter is the largest number of auth types, and of locales, in a filter.
	// Default 32.
	MaxFilter int `toml:"max_filter"`
	// MaxDocuments is the largest number of documents in one Join or Leave.
	// Default 64, which is what one socket may be a member of.
	MaxDocuments int `toml:"max_documents"`
	// MaxSelected is the largest number of sockets that one Join, Leave, Kick or
	// user Call reaches after its users are looked up. Default 50,000.
	MaxSelected int `toml:"max_selected"`
}

// The limits of the proto's comments, which are the same everywhere.
const (
	maxKey        = 128 // bytes of an idempotency key or latest key
	maxReason     = 128 // bytes of a kick or nack reason
	maxFilterText = 64  // bytes of an auth type or locale
	maxPage       = 1_000
	defaultPage   = 100
	maxPageToken  = 512 // bytes
	maxReplyTo    = 512 // bytes
	maxWithin     = 10 * time.Minute
	defaultWait   = 3 * time.Second // of a Call
	maxWait       = 30 * time.Second

	defaultRemember = 24 * time.Hour // of a Revoke
	maxRemember     = 30 * 24 * time.Hour
	maxAhead        = time.Minute // clocks differ
)

// DefaultLimits returns the limits that the field comments name.
func DefaultLimits() Limits {
	return Limits{
		MaxTargets: 10_000, MaxPayload: 1_000_000, MaxPushBytes: 64 << 20, MaxAttachments: 10,
		MaxDepth: 32, MaxEventName: 64, MaxNamespace: 128, MaxExcept: 1_000, MaxFilter: 32,
		MaxDocuments: 64, MaxSelected: 50_000,
	}
}

func (l *Limits) problems() (errs []error) {
	check := func(key string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("limits.%s: must be %d to %d, is %d", key, low, high, v))
		}
	}
	check("max_targets", l.MaxTargets, 1, 100_000)
	check("max_payload", l.MaxPayload, 2, 64<<20)
	check("max_push_bytes", l.MaxPushBytes, max(l.MaxPayload, 2), 1<<31-1)
	check("max_attachments", l.MaxAttachments, 0, 63)
	check("max_depth", l.MaxDepth, 1, 1_000)
	check("max_event_name", l.MaxEventName, 1, 1_024)
	check("max_namespace", l.MaxNamespace, 1, 1_024)
	check("max_except", l.MaxExcept, 0, 100_000)
	check("max_filter", l.MaxFilter, 0, 1_000)
	check("max_documents", l.MaxDocuments, 1, 10_000)
	check("max_selected", l.MaxSelected, 1, 1_000_000)
	return errs
}
