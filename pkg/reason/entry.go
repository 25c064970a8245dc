package reason

import (
	"strconv"
	"time"
)

// Retry is what a client should do when it still wants what it was refused.
type Retry string

const (
	// Now: try again at once. A retryAfterMs beside it spreads the clients that
	// are told the same at the same moment.
	Now Retry = "now"
	// Later: try again when retryAfterMs (Retry-After over HTTP) has passed.
	Later Retry = "later"
	// NewToken: never with this token, at once with a new one.
	NewToken Retry = "new_token"
	// Never: the same again ends the same way.
	Never Retry = "never"
)

// Entry is what is known of one reason. A reason may show in several places;
// the fields of places where it does not show are zero.
type Entry struct {
	Reason Reason
	Retry  Retry
	// After is the least time before a retry, and Spread how much more a client is
	// told at most, so that those who were refused together come back apart.
	After, Spread time.Duration

	Status   int    // HTTP status of a refused request. A WebSocket upgrade gets 400.
	EngineIO int    // Engine.IO code in the body of that answer; None: the body is empty
	Connect  string // message of a refused CONNECT
	Bare     bool   // the refused CONNECT has no data
	Close    bool   // a connection ends for it
	Code     int    // WebSocket close code when it ends; 0: a close frame without a code, or none
	Told     bool   // sluice:closing comes before the close
	Answer   bool   // in an acknowledgement or in sluice:busy

	// Text is one sentence or two for those who write clients.
	Text string
}

// None stands for an HTTP answer without an Engine.IO error.
const None = -1

// Of returns the entry of r; false when r is not in the table.
func Of(r Reason) (Entry, bool) {
	e, ok := index[r]
	return e, ok
}

// Table returns all entries, in the order in which they are documented.
func Table() []Entry { return append([]Entry(nil), table...) }

var index = make(map[Reason]Entry, len(table))

func init() {
	for _, e := range table {
		index[e.Reason] = e
	}
}

// Wait is the time that a client is told. part, from 0 to 1, says where in the
// spread it falls.
func (r Reason) Wait(part float64) time.Duration {
	e := index[r]
	return e.After + time.Duration(part*float64(e.Spread))
}

// AppendAdvice appends what a client is told, as the members of a JSON object:
//
//	"code":"drain","retry":"now","retryAfterMs":740
//
// The time is left out when waiting changes nothing.
func (r Reason) AppendAdvice(dst []byte, wait time.Duration) []byte {
	e := index[r]
	dst = append(dst, `"code":"`...)
	dst = append(dst, r...)
	return e.appendRetry(append(dst, `",`...), wait)
}

// AppendRetry is AppendAdvice without the code, for answers that name the reason
// as their error.
func (r Reason) AppendRetry(dst []byte, wait time.Duration) []byte {
	e := index[r]
	return e.appendRetry(dst, wait)
}

func (e *Entry) appendRetry(dst []byte, wait time.Duration) []byte {
	retry := e.Retry
	if retry == "" {
		retry = Never
	}
	dst = append(dst, `"retry":"`...)
	dst = append(dst, retry...)
	dst = append(dst, '"')
	if retry == Later || retry == Now && e.Spread > 0 {
		dst = append(dst, `,"retryAfterMs":`...)
		dst = strconv.AppendInt(dst, wait.Milliseconds(), 10)
	}
	return dst
}
