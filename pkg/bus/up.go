package bus

import (
	"fmt"

	"sluice/pkg/id"
)

// Up is the body of a record of ws.up: what a client sent, or why it left. Args and
// Attachments are raw; nobody on the way decodes them.
type Up struct {
	Namespace   string
	Event       string   // Socket.IO event name
	Name        []byte   // the same, from who has it as bytes; Event goes before
	Args        []byte   // raw JSON array
	Attachments [][]byte // binary parts, in placeholder order
	HasAck      bool     // the client waits for an acknowledgement
	AckID       uint64   // valid with HasAck
	Docs        []id.Doc // documents of the socket at that moment
	Reason      string   // of a Disconnect
	Boot        string   // process that holds the socket
	Replica     id.Replica
}

// Append appends the MessagePack form to dst and returns the longer slice. Empty
// fields are left out. The error is reserved; today there is none.
func (u *Up) Append(dst []byte) ([]byte, error) {
	w := beginBody(dst)
	w.text("ns", u.Namespace)
	if u.Event != "" {
		w.text("event", u.Event)
	} else if len(u.Name) > 0 {
		w.key("event")
		w.b = append(appendTextHeader(w.b, len(u.Name)), u.Name...)
	}
	w.binary("args", u.Args)
	w.binaries("bin", u.Attachments)
	if u.HasAck {
		// Its presence says that an acknowledgement is awaited, and 0 is a valid id.
		w.key("ack")
		w.b = appendUint(w.b, u.AckID)
	}
	writeTexts(&w, "docs", u.Docs)
	w.text("reason", u.Reason)
	w.text("boot", u.Boot)
	w.uint("replica", uint64(u.Replica))
	return w.end(), nil
}

// DecodeUp reads a body. Fields that this version does not know are skipped and those
// that the writer did not know are zero. Args and Attachments alias b. The error wraps
// ErrBody.
func DecodeUp(b []byte) (Up, error) {
	var u Up
	err := readBody(b, u.field)
	if err != nil {
		return Up{}, fmt.Errorf("decode up: %w", err)
	}
	return u, nil
}

func (u *Up) field(r *reader, key []byte) bool {
	switch string(key) {
	case "ns":
		u.Namespace = r.text()
	case "event":
		u.Event = r.text()
	case "args":
		u.Args = r.bytes()
	case "bin":
		u.Attachments = readBinaries(r)
	case "ack":
		u.HasAck, u.AckID = true, r.unsigned()
	case "docs":
		u.Docs = readTexts[id.Doc](r)
	case "reason":
		u.Reason = r.text()
	case "boot":
		u.Boot = r.text()
	case "replica":
		if v := r.unsigned(); v <= uint64(id.MaxReplica) {
			u.Replica = id.Replica(v)
		} else {
			r.fail(errNumber)
		}
	default:
		return false
	}
	return true
}
