package engineio

import "net/http"

// Code is an Engine.IO error, as answered to a request that is refused.
type Code int8

const (
	TransportUnknown   Code = 0
	SessionUnknown     Code = 1
	BadHandshakeMethod Code = 2
	BadRequest         Code = 3
	Forbidden          Code = 4
	UnsupportedVersion Code = 5

	OK Code = -1 // no error
)

var (
	codeTexts = [...]string{
		TransportUnknown:   "Transport unknown",
		SessionUnknown:     "Session ID unknown",
		BadHandshakeMethod: "Bad handshake method",
		BadRequest:         "Bad request",
		Forbidden:          "Forbidden",
		UnsupportedVersion: "Unsupported protocol version",
	}
	codeBodies [len(codeTexts)][]byte
)

func init() {
	for c, text := range codeTexts {
		codeBodies[c] = AppendError(nil, Code(c), text)
	}
}

// String is the text of the error: the whole answer to a WebSocket upgrade.
func (c Code) String() string {
	if c < 0 || int(c) >= len(codeTexts) {
		return "OK"
	}
	return codeTexts[c]
}

// Body is the JSON answer to a polling request. It is shared: do not change it.
func (c Code) Body() []byte {
	if c < 0 || int(c) >= len(codeBodies) {
		return nil
	}
	return codeBodies[c]
}

// AppendError appends the JSON answer with a text of its own.
func AppendError(dst []byte, c Code, message string) []byte {
	dst = append(dst, `{"code":`...)
	dst = append(dst, '0'+byte(c))
	dst = append(dst, `,"message":"`...)
	dst = appendEscaped(dst, []byte(message))
	return append(dst, `"}`...)
}

// Rules is what a server offers.
type Rules struct {
	Polling, WebSocket bool // carriers
	Upgrades           bool // from polling to WebSocket
	V3                 bool // generation 3
}

// Transport is the first check of every request. After it comes the look-up of
// the sid, then Handshake or State.Request.
func (r *Rules) Transport(q *Query) Code {
	switch {
	case q.Carrier == Polling && r.Polling, q.Carrier == WebSocket && r.WebSocket:
		return OK
	}
	return TransportUnknown
}

// Handshake checks a request without a sid; upgrade tells that it asks for a
// WebSocket.
func (r *Rules) Handshake(q *Query, method string, upgrade bool) Code {
	switch {
	case method != http.MethodGet:
		return BadHandshakeMethod
	case upgrade != (q.Carrier == WebSocket):
		return BadRequest
	case q.Version == V4, q.Version == V3 && r.V3:
		return OK
	}
	return UnsupportedVersion
}
