package bus

import (
	"fmt"

	"sluice/pkg/id"
)

// Push is a message on its way down: the body of a record of ws.down, of an entry of a
// document's stream and of a delivery over the mesh.
type Push struct {
	Mid         id.Message
	Target      id.Target
	Namespace   string
	Event       string
	Args        []byte      // raw JSON array
	Attachments [][]byte    // binary parts, in placeholder order
	Except      []id.Socket // members that do not get it
	AuthTypes   []string    // only these; empty: any
	MinVersion  string      // lowest client version, inclusive; empty: any
	MaxVersion  string      // highest client version, inclusive; empty: any
	Locales     []string    // only these; empty: any
	Component   string      // who pushed
	WithinMS    int64       // receivers are spread over so many ms; 0: all at once
	LatestKey   string      // ephemeral: a newer push of this key replaces an older one
	Multi       bool        // the push had more than one target
	Traceparent string      // W3C traceparent
	SentAt      int64       // Unix milliseconds
}

// Append appends the MessagePack form to dst and returns the longer slice. Empty
// fields are left out. It fails, with dst unchanged, when Target is neither valid nor
// zero.
func (p *Push) Append(dst []byte) ([]byte, error) {
	w := beginBody(dst)
	w.uint("mid", uint64(p.Mid))
	if p.Target != (id.Target{}) {
		if err := p.Target.Check(); err != nil {
			return dst, fmt.Errorf("encode push: %w", err)
		}
		w.key("to")
		w.b = p.Target.Append(appendTextHeader(w.b, 2+len(p.Target.Name)))
	}
	w.text("ns", p.Namespace)
	w.text("event", p.Event)
	w.binary("args", p.Args)
	w.binaries("bin", p.Attachments)
	w.sockets("except", p.Except)
	writeTexts(&w, "auth", p.AuthTypes)
	w.text("minver", p.MinVersion)
	w.text("maxver", p.MaxVersion)
	writeTexts(&w, "locales", p.Locales)
	w.text("from", p.Component)
	w.int("within", p.WithinMS)
	w.text("latest", p.LatestKey)
	w.flag("multi", p.Multi)
	w.text("trace", p.Traceparent)
	w.int("sent", p.SentAt)
	return w.end(), nil
}

// DecodePush reads a body as DecodeUp does. Args and Attachments alias b. The error
// wraps ErrBody.
func DecodePush(b []byte) (Push, error) {
	var p Push
	if err := readBody(b, p.field); err != nil {
		return Push{}, fmt.Errorf("decode push: %w", err)
	}
	return p, nil
}

func (p *Push) field(r *reader, key []byte) bool {
	switch string(key) {
	case "mid":
		p.Mid = id.Message(r.unsigned())
	case "to":
		t, err := id.ParseTarget(r.text())
		if err != nil {
			r.fail(err)
		}
		p.Target = t
	case "ns":
		p.Namespace = r.text()
	case "event":
		p.Event = r.text()
	case "args":
		p.Args = r.bytes()
	case "bin":
		p.Attachments = readBinaries(r)
	case "except":
		p.Except = readSockets(r)
	case "from":
		p.Component = r.text()
	case "multi":
		p.Multi = r.bool()
	case "trace":
		p.Traceparent = r.text()
	case "sent":
		p.SentAt = r.signed()
	default:
		return p.condition(r, key)
	}
	return true
}

// condition reads the fields that say who gets the push and until when.
func (p *Push) condition(r *reader, key []byte) bool {
	switch string(key) {
	case "auth":
		p.AuthTypes = readTexts[string](r)
	case "minver":
		p.MinVersion = r.text()
	case "maxver":
		p.MaxVersion = r.text()
	case "locales":
		p.Locales = readTexts[string](r)
	case "within":
		p.WithinMS = r.signed()
	case "latest":
		p.LatestKey = r.text()
	default:
		return false
	}
	return true
}
