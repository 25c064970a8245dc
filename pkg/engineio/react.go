package engineio

// Reaction is what to do about a packet that came from the client.
type Reaction uint8

const (
	Break   Reaction = iota // not allowed here: close the session as a parse error
	Deliver                 // a message for the layer above
	Answer                  // a ping: answer with a pong that has the same data
	Heard                   // nothing to do; like every packet it proves life
	Leave                   // the client closes the session
)

// React says what to do about a packet on the carrier of an open session. In
// generation 4 only the server pings, in generation 3 only the client. An open
// packet never comes from a client, and an upgrade packet only to a Probe.
func React(v Version, t Type) Reaction {
	switch t {
	case Message:
		return Deliver
	case Close:
		return Leave
	case Noop:
		return Heard
	case Ping:
		if v == V3 {
			return Answer
		}
	case Pong:
		if v != V3 {
			return Heard
		}
	}
	return Break
}
