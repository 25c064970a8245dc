package engineio

// Probe is the state of a WebSocket that wants to take over a polling session.
// The zero value has just been opened.
type Probe struct{ answered bool }

// Step is what to do about a packet on such a WebSocket.
type Step uint8

const (
	Reject     Step = iota // close this WebSocket; the session goes on over polling
	AnswerPong             // send a pong with the same data, release waiting polls
	Switch                 // the session is on this WebSocket now
)

// probeData is what the client's first ping holds.
const probeData = "probe"

// Packet takes a packet: first the client pings with "probe", then, once its
// polls have returned, it says upgrade. Everything else is out of order.
func (p *Probe) Packet(pkt Packet) Step {
	switch {
	case pkt.Binary:
		return Reject
	case pkt.Type == Ping && string(pkt.Data) == probeData:
		p.answered = true
		return AnswerPong
	case pkt.Type == Upgrade && p.answered && len(pkt.Data) == 0:
		return Switch
	}
	return Reject
}

// Answered tells that the client's ping has been answered, so that its waiting
// polls have to be released until it says upgrade.
func (p *Probe) Answered() bool { return p.answered }
