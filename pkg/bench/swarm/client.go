package swarm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sluice/pkg/bench/tally"
)

// state is where a client is on its way.
type state uint8

const (
	idle      state = iota // no connection
	dialling               // SYN sent
	upgrading              // request sent, 101 awaited
	opening                // Engine.IO open awaited
	joining                // CONNECT sent
	up                     // takes part
	leaving                // said goodbye; reads until the end
)

// client is one of a loop's. It holds no buffer unless something is incomplete.
type client struct {
	state  state
	slow   bool
	fd     int32
	index  uint32 // in its loop
	stream uint32
	since  int64 // begin of the connect; of the session once up
	left   int64 // when leaving
	seen   tally.Sequence
	in     []byte // the beginning of a frame
	parts  []byte // the beginning of a fragmented message
	out    []byte // what the kernel did not take
	// receipts that it sent, in all its sessions: their numbers.
	receipts uint32
	sender   *sender
	tls      *secure // nil without
}

// sender is what a client sent, of those that send.
type sender struct {
	sent uint32
	at   int64 // of the last, if its answer will not tell
	acks tally.Sequence
}

var errEnd = errors.New("swarm: end of connection")

// ended is why a client's connection is over; the text is its reason.
type ended string

func (e ended) Error() string { return string(e) }

// feed takes what was read and returns what is not complete.
func (l *loop) feed(c *client, data []byte) ([]byte, error) {
	if c.state == upgrading {
		status, size, err := parseHead(data)
		if err != nil || size == 0 {
			return data, err
		}
		if status != 101 {
			return nil, ended("http_" + strconv.Itoa(status))
		}
		c.state, data = opening, data[size:]
	}
	for {
		f, size, err := parseFrame(data)
		if err != nil || size == 0 {
			return data, err
		}
		if err := l.frame(c, f); err != nil {
			return nil, err
		}
		data = data[size:]
	}
}

func (l *loop) frame(c *client, f frame) error {
	switch f.op {
	case opPing:
		l.out = appendFrame(l.out, opPong, f.payload)
	case opPong:
	case opClose:
		return ended(closeReason(f.payload))
	case opText, opBinary, opContinue:
		return l.message(c, f)
	default:
		return errFrame
	}
	return nil
}

// closeReason names a close frame by its code, if that is one of the protocol's.
func closeReason(payload []byte) string {
	if len(payload) >= 2 {
		if code := binary.BigEndian.Uint16(payload); code >= 1000 && code < 1016 {
			return fmt.Sprintf("close_%d", code)
		}
	}
	return "close"
}

// message puts fragments together.
func (l *loop) message(c *client, f frame) error {
	if f.op == opContinue || len(c.parts) > 0 || !f.fin {
		if len(c.parts)+len(f.payload) > maxFrame {
			return errFrame
		}
		c.parts = append(c.parts, f.payload...)
		if !f.fin {
			return nil
		}
		f.payload, c.parts = c.parts, nil
	}
	if f.op == opBinary {
		return nil // attachments: nothing that is counted
	}
	return l.packet(c, f.payload)
}

// packet takes an Engine.IO packet.
func (l *loop) packet(c *client, text []byte) error {
	if len(text) == 0 {
		return errFrame
	}
	switch text[0] {
	case '0':
		if c.state != opening {
			return errFrame
		}
		c.state = joining
		l.text = append(l.text[:0], "40"...)
		if l.cfg.Auth != nil {
			l.text = l.cfg.Auth(l.text, l.first+c.index)
		}
		l.out = appendFrame(l.out, opText, l.text)
	case '1':
		return ended("engine_close")
	case '2':
		l.stats.Pings++
		l.out = appendFrame(l.out, opText, []byte{'3'})
	case '4':
		if len(text) < 2 {
			return errFrame
		}
		return l.socketio(c, text[1], text[2:])
	}
	return nil
}

// socketio takes a Socket.IO packet without its type.
func (l *loop) socketio(c *client, kind byte, data []byte) error {
	switch kind {
	case '0':
		if c.state == joining {
			if l.cfg.KeepIDs {
				l.ids[c.index] = socketID(data)
			}
			l.joined(c)
		}
	case '1':
		return ended("disconnected")
	case '2':
		l.event(c, data)
	case '3':
		l.answer(c, data)
	case '4':
		return ended("connect_error")
	}
	return nil
}

func (l *loop) event(c *client, data []byte) {
	id, hasID, data := splitPacket(data)
	if rest, counted := bytes.CutPrefix(data, l.prefix); counted {
		l.counted(c, rest)
	} else if bytes.HasPrefix(data, busyPrefix) {
		l.stats.Busy++
	} else if bytes.HasPrefix(data, gapPrefix) {
		l.stats.Gaps++
	}
	if hasID && c.state == up {
		l.text = strconv.AppendUint(append(l.text[:0], "43"...), id, 10)
		l.out = appendFrame(l.out, opText, append(l.text, "[]"...))
	}
}

// What Sluice's gateway tells a client itself.
var busyPrefix, gapPrefix = []byte(`["sluice:busy"`), []byte(`["sluice:gap"`)

// counted takes a message that begins with its mark.
func (l *loop) counted(c *client, rest []byte) {
	m, ok := parseMark(rest)
	if !ok || m.Stream != c.stream {
		l.stats.Foreign++
		l.fault(Misdirected, c, m.Stream, m.Number)
		return
	}
	switch c.seen.See(m.Number) {
	case tally.Duplicate:
		l.stats.Duplicates++
		l.fault(Doubled, c, m.Stream, m.Number)
		return
	case tally.Late:
		l.stats.Late++
		l.fault(Late, c, m.Stream, m.Number)
	case tally.New:
	}
	l.stats.Delivered++
	l.stats.Latency.Add(time.Duration(l.now - m.At))
	if l.cfg.Receipt == "" || c.state != up {
		return
	}
	l.stats.Receipts++
	c.receipts++
	l.text = append(append(append(l.text[:0], `42["`...), l.cfg.Receipt...), `",`...)
	l.text = append(strconv.AppendUint(l.text, uint64(l.first+c.index), 10), ',')
	l.text = append(strconv.AppendUint(l.text, uint64(c.receipts), 10), ',')
	l.text = append(strconv.AppendUint(l.text, uint64(m.Stream), 10), ',')
	l.text = append(strconv.AppendUint(l.text, uint64(m.Number), 10), ']')
	l.out = appendFrame(l.out, opText, l.text)
}

// answer takes an ack: the arguments of the event come back in it.
func (l *loop) answer(c *client, data []byte) {
	id, hasID, data := splitPacket(data)
	if !hasID || c.sender == nil || id == 0 || id > uint64(c.sender.sent) {
		l.stats.Foreign++
		return
	}
	if c.sender.acks.See(uint32(id)) == tally.Duplicate {
		l.stats.Again++
		return
	}
	l.stats.Answered++
	if c.sender.at > 0 {
		if id == uint64(c.sender.sent) {
			l.stats.Roundtrip.Add(time.Duration(l.now - c.sender.at))
		}
		return
	}
	if _, rest, found := bytes.Cut(data, []byte(`"`)); found {
		if m, ok := parseMark(rest); ok {
			l.stats.Roundtrip.Add(time.Duration(l.now - m.At))
		}
	}
}

// send makes a client send the next of its events: its mark, with the client's
// number in the place of the stream's, and the filling.
func (l *loop) send(c *client) {
	if c.sender == nil {
		c.sender = &sender{}
	}
	c.sender.sent++
	l.stats.Sent++
	l.text = append(l.text[:0], "42"...)
	if l.upstream.Ack {
		l.text = strconv.AppendUint(l.text, uint64(c.sender.sent), 10)
	}
	l.text = append(append(append(l.text, `["`...), l.upstream.Event...), `",`...)
	if args := l.upstream.Args; args != "" {
		c.sender.at = Now()
		l.out = appendFrame(l.out, opText, append(l.text, args[1:]...))
		l.flush(c)
		return
	}
	c.sender.at = 0
	l.text = AppendMark(l.text, l.first+c.index, c.sender.sent, Now())
	if len(l.filling) > 0 {
		l.text = append(append(append(l.text, `,"`...), l.filling...), '"')
	}
	l.out = appendFrame(l.out, opText, append(l.text, ']'))
	l.flush(c)
}

// socketID reads the id in the payload of an answered CONNECT; "" if it has none.
func socketID(payload []byte) string {
	var p struct{ SID string }
	if json.Unmarshal(payload, &p) != nil {
		return ""
	}
	return p.SID
}
