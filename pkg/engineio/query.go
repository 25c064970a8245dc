package engineio

import "strings"

// Carrier is what carries a session at the moment.
type Carrier uint8

const (
	NoCarrier Carrier = iota
	Polling
	WebSocket
)

// String is the value of the transport parameter.
func (c Carrier) String() string {
	switch c {
	case Polling:
		return "polling"
	case WebSocket:
		return "websocket"
	}
	return "unknown"
}

// Query is what a request's query string says of Engine.IO. Strings may alias
// the query.
type Query struct {
	Carrier Carrier // NoCarrier: missing or unknown
	Version Version // 0: missing or unknown
	SID     string  // "": a handshake
	JSONP   bool    // the answer goes into a script
	J       string  // number of that script's callback, as sent
	B64     bool    // the client cannot take binary
	Dynamic bool    // heartbeat=dynamic: the client wants to be told of its interval
}

// repeated stands for a parameter that was given twice with different values:
// it is none of the values that are understood.
const repeated = ","

// ParseQuery reads the raw query of a URL. Nothing is an error here: what is
// not understood is left out, and the checks refuse it. It allocates only for
// values that are percent-encoded.
func ParseQuery(raw string) Query {
	var transport, eio, sid, b64, j, heartbeat string
	var q Query
	for raw != "" {
		var field string
		field, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(field, "=")
		var to *string
		switch unescape(key) {
		case "transport":
			to = &transport
		case "EIO":
			to = &eio
		case "sid":
			to = &sid
		case "b64":
			to = &b64
		case "j":
			to, q.JSONP = &j, true
		case "heartbeat":
			to = &heartbeat
		default:
			continue
		}
		value = unescape(value)
		if *to != "" && *to != value {
			value = repeated
		}
		*to = value
	}
	switch transport {
	case "polling":
		q.Carrier = Polling
	case "websocket":
		q.Carrier = WebSocket
	}
	switch eio {
	case "3":
		q.Version = V3
	case "4":
		q.Version = V4
	}
	q.SID, q.J, q.B64, q.Dynamic = sid, j, b64 != "", heartbeat == "dynamic"
	return q
}

// unescape undoes query encoding; what is malformed stays as it is.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out, ok := unescapeForm([]byte(s))
	if !ok {
		return s
	}
	return string(out)
}
