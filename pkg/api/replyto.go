package api

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/pkg/id"
)

// replyTo is where the answer of a client's acknowledgement request goes. To
// components its text form is opaque: base64url of
//
//	version 1 | socket 8 bytes | replica 2 | ack id 8 | length of boot 1 | boot | namespace
//
// It is not signed: a component that may call Reply may answer any event, and a
// made-up one names no request that waits.
type replyTo struct {
	socket    id.Socket
	replica   id.Replica
	boot      string
	namespace string
	ackID     uint64
}

const (
	replyToVersion = 1
	replyToHead    = 1 + 8 + 2 + 8 + 1
	maxBoot        = 64
)

// String returns the text form. A boot id or namespace that the form cannot hold
// gives "": there is nowhere to answer to.
func (r replyTo) String() string {
	if !r.valid() {
		return ""
	}
	b := make([]byte, 0, replyToHead+len(r.boot)+len(r.namespace))
	b = append(b, replyToVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(r.socket))
	b = binary.BigEndian.AppendUint16(b, uint16(r.replica))
	b = binary.BigEndian.AppendUint64(b, r.ackID)
	b = append(b, byte(len(r.boot)))
	b = append(b, r.boot...)
	b = append(b, r.namespace...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseReplyTo reads exactly what String writes.
func parseReplyTo(s string) (replyTo, bool) {
	if len(s) > maxReplyTo {
		return replyTo{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < replyToHead || b[0] != replyToVersion {
		return replyTo{}, false
	}
	boot := int(b[replyToHead-1])
	if len(b) < replyToHead+boot {
		return replyTo{}, false
	}
	r := replyTo{
		socket:    id.Socket(binary.BigEndian.Uint64(b[1:])),
		replica:   id.Replica(binary.BigEndian.Uint16(b[9:])),
		ackID:     binary.BigEndian.Uint64(b[11:]),
		boot:      string(b[replyToHead : replyToHead+boot]),
		namespace: string(b[replyToHead+boot:]),
	}
	// The decoder skips line ends wherever they stand.
	if !r.valid() || strings.ContainsAny(s, "\r\n") {
		return replyTo{}, false
	}
	return r, true
}

func (r replyTo) valid() bool {
	return r.socket != 0 && uint64(r.socket) <= math.MaxInt64 && r.replica <= id.MaxReplica &&
		r.boot != "" && len(r.boot) <= maxBoot && plain(r.boot) &&
		r.namespace != "" && r.namespace[0] == '/' && len(r.namespace) <= 255 && plain(r.namespace)
}

func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
