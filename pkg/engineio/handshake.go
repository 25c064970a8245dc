package engineio

import (
	"strconv"
	"time"
)

// Handshake is what the server tells a client that opens a session.
type Handshake struct {
	SID          string
	Upgrade      bool // the client may move to a WebSocket
	PingInterval time.Duration
	PingTimeout  time.Duration
	MaxPayload   int // bytes
}

// AppendInterval appends the data of a noop that tells a client its new ping
// interval. Clients that did not ask for it do not look at a noop's data.
func AppendInterval(dst []byte, ms int64) []byte {
	dst = append(dst, `{"pingInterval":`...)
	return append(strconv.AppendInt(dst, ms, 10), '}')
}

// Append appends the data of the open packet.
func (h *Handshake) Append(dst []byte) []byte {
	dst = append(dst, `{"sid":"`...)
	dst = append(dst, h.SID...)
	dst = append(dst, `","upgrades":[`...)
	if h.Upgrade {
		dst = append(dst, `"websocket"`...)
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, h.PingInterval.Milliseconds(), 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, h.PingTimeout.Milliseconds(), 10)
	dst = append(dst, `,"maxPayload":`...)
	dst = strconv.AppendInt(dst, int64(h.MaxPayload), 10)
	return append(dst, '}')
}
