package stand

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// socket is one client's connection.
type socket struct {
	conn  net.Conn
	id    string
	rooms []string // with its id; fixed before it is among the server's

	mu   sync.Mutex // guards writes and held
	held []byte     // to go after the next
}

const handshakeTimeout = 30 * time.Second

// serve speaks to one client until it goes.
func (s *Server) serve(conn net.Conn) {
	c := &socket{conn: conn, id: "stand-" + strconv.FormatUint(s.ids.Add(1), 10)}
	defer func() { _ = conn.Close() }() // it may be closed already
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	in := bufio.NewReaderSize(conn, 1024)
	if c.open(in) != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	s.mu.Lock()
	s.sockets[c] = struct{}{}
	s.mu.Unlock()
	// Answered when it is a member: what is pushed from then on reaches it.
	err := c.write(encode([]byte(`40{"sid":"` + c.id + `"}`)))
	for err == nil {
		var text []byte
		if text, err = next(in); err == nil {
			err = s.handle(c, text)
		}
	}
	s.mu.Lock()
	delete(s.sockets, c)
	s.mu.Unlock()
}

// open does the handshakes of all three protocols up to the CONNECT.
func (c *socket) open(in *bufio.Reader) error {
	r, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(c.conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(key[:]))
	if err != nil {
		return err
	}
	if err := c.write(encode([]byte(`0{"sid":"stand","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`))); err != nil {
		return err
	}
	text, err := next(in)
	if err != nil {
		return err
	}
	auth, found := bytes.CutPrefix(text, []byte("40"))
	if !found {
		return errProtocol
	}
	var wanted struct{ Documents []string }
	if len(auth) > 0 {
		if err := json.Unmarshal(auth, &wanted); err != nil {
			return err
		}
	}
	c.rooms = append(wanted.Documents, c.id)
	return nil
}

var errProtocol = errors.New("stand: bad packet")

func (c *socket) member(room string) bool {
	return room == "" || slices.Contains(c.rooms, room)
}

// handle does what a packet asks for.
func (s *Server) handle(c *socket, text []byte) error {
	rest, event := bytes.CutPrefix(text, []byte("42"))
	if !event {
		if bytes.HasPrefix(text, []byte("41")) {
			return io.EOF
		}
		return nil
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	var args []json.RawMessage
	if err := json.Unmarshal(rest[digits:], &args); err != nil || len(args) == 0 {
		return errProtocol
	}
	answer, err := s.event(string(args[0]), args[1:])
	if err != nil || digits == 0 {
		return err
	}
	return c.write(encode(append(append([]byte("43"), rest[:digits]...), answer...)))
}

// event handles one event and returns the ack's arguments.
func (s *Server) event(name string, args []json.RawMessage) ([]byte, error) {
	switch name {
	case `"bench:push"`:
		var room string
		if len(args) < 2 || json.Unmarshal(args[0], &room) != nil {
			return nil, errProtocol
		}
		text, err := json.Marshal(args[1:])
		if err != nil {
			return nil, err
		}
		s.push(room, append([]byte("42"), text...))
	case `"bench:echo"`:
		return json.Marshal(args[:min(len(args), 1)])
	case `"bench:receipt"`, `"bench:up"`, `"bench:count"`:
		s.mu.Lock()
		defer s.mu.Unlock()
		switch name {
		case `"bench:receipt"`:
			s.receipts++
		case `"bench:up"`:
			s.ups++
		}
		return []byte(`[{"receipts":` + strconv.FormatUint(s.receipts, 10) + `,"ups":` + strconv.FormatUint(s.ups, 10) + `}]`), nil
	}
	return []byte("[]"), nil
}

// deliver writes a message, or does something else with it. Errors end the
// socket by its reader.
func (c *socket) deliver(f []byte, what action) {
	c.mu.Lock()
	held := c.held
	c.held = nil
	if what == afterNext && held == nil {
		c.held = f
	}
	c.mu.Unlock()
	switch what {
	case once:
		_ = c.write(append(slices.Clip(f), held...))
	case twice:
		_ = c.write(slices.Concat(f, f, held))
	case never:
		if held != nil {
			_ = c.write(held)
		}
	case afterNext:
		if held != nil {
			_ = c.write(append(slices.Clip(f), held...))
		}
	case drop:
		_ = c.conn.Close()
	}
}

func (c *socket) write(f []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(f)
	return err
}

// encode makes a frame of a server.
func encode(text []byte) []byte {
	f := []byte{0x81}
	switch n := len(text); {
	case n < 126:
		f = append(f, byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 127), uint64(n))
	}
	return append(f, text...)
}

// next returns the next text of a client.
func next(in *bufio.Reader) ([]byte, error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return nil, err
		}
		op, length := head[0]&0xf, uint64(head[1]&0x7f)
		switch length {
		case 126:
			if _, err := io.ReadFull(in, head[:2]); err != nil {
				return nil, err
			}
			length = uint64(binary.BigEndian.Uint16(head[:2]))
		case 127:
			return nil, errProtocol // nothing that long is asked of it
		}
		frame := make([]byte, 4+length)
		if _, err := io.ReadFull(in, frame); err != nil {
			return nil, err
		}
		for i := range frame[4:] {
			frame[4+i] ^= frame[i%4]
		}
		switch op {
		case 0x8:
			return nil, io.EOF
		case 0x1:
			return frame[4:], nil
		}
	}
}
