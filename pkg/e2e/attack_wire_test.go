package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// party is somebody at an address of loopback of its own who speaks to the
// gateway byte by byte, and so can say what no library lets it say.
type party struct {
	addr   string // the gateway's
	source net.IP
}

// enough bounds every single wait of a party on a machine that is busy.
const enough = 30 * time.Second

func (p *party) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: p.source}, Timeout: enough}
	conn, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, conn.SetDeadline(time.Now().Add(enough))
}

// answer is what an HTTP request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// say sends bytes on a connection of their own and reads the answer. What is
// said may be refused while it is still being said.
func (p *party) say(ctx context.Context, bytes ...string) (answer, error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = conn.Close() }() // it has served
	for _, b := range bytes {
		if _, err := io.WriteString(conn, b); err != nil {
			break // the answer is there already, or there is none
		}
	}
	return hear(bufio.NewReader(conn))
}

func hear(r *bufio.Reader) (answer, error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return answer{}, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("half an answer: %w", err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}, nil
}

// request is an HTTP request in bytes; headers are whole lines.
func request(method, target, body string, headers ...string) string {
	head := method + " " + target + " HTTP/1.1\r\nHost: ws.example.com\r\nConnection: close\r\n"
	if body != "" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	for _, h := range headers {
		head += h + "\r\n"
	}
	return head + "\r\n" + body
}

const pollingURL = "/socket.io/?EIO=4&transport=polling"

// polled is an Engine.IO session over polling.
type polled struct {
	*party
	url string
	sid string
}

func (p *party) session(ctx context.Context) (*polled, error) {
	a, err := p.say(ctx, request("GET", pollingURL, ""))
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(a.body, `0{"sid":"`)
	sid, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return nil, fmt.Errorf("handshake: %d %.80q", a.status, a.body)
	}
	return &polled{party: p, sid: sid, url: pollingURL + "&sid=" + sid}, nil
}

// joined is a session that is connected to "/".
func (p *party) joined(ctx context.Context, auth string) (*polled, error) {
	s, err := p.session(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.post(ctx, "40"+auth); err != nil {
		return nil, err
	}
	return s, s.expect(ctx, "40{")
}

func (s *polled) poll(ctx context.Context) (answer, error) {
	return s.say(ctx, request("GET", s.url, ""))
}

// post sends packets and wants them to be taken.
func (s *polled) post(ctx context.Context, packets ...string) error {
	a, err := s.say(ctx, request("POST", s.url, strings.Join(packets, "\x1e")))
	if err == nil && (a.status != http.StatusOK || a.body != "ok") {
		err = fmt.Errorf("post: %d %.80q", a.status, a.body)
	}
	return err
}

// expect polls until a packet begins with what is wanted.
func (s *polled) expect(ctx context.Context, want string) error {
	for range 20 {
		a, err := s.poll(ctx)
		if err != nil {
			return err
		}
		for packet := range strings.SplitSeq(a.body, "\x1e") {
			if strings.HasPrefix(packet, want) {
				return nil
			}
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("want %q: %d %.80q", want, a.status, a.body)
		}
	}
	return fmt.Errorf("want %q, which does not come", want)
}

// gone wants the session to have been closed.
func (s *polled) gone(ctx context.Context) error {
	for range 20 {
		a, err := s.poll(ctx)
		if err != nil {
			return err
		}
		if a.status == http.StatusBadRequest && strings.Contains(a.body, `"code":1`) {
			return nil
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("a closed session: %d %.80q", a.status, a.body)
		}
	}
	return errors.New("the session lives on")
}

// socket is a WebSocket.
type socket struct {
	conn net.Conn
	r    *bufio.Reader
}

const upgradeHeaders = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="

// websocket opens one for a query, and wants to be let in.
func (p *party) websocket(ctx context.Context, query string) (*socket, error) {
	s, _, err := p.websocketWith(ctx, query, upgradeHeaders)
	return s, err
}

// websocketWith is websocket with other headers; it returns those of the answer.
func (p *party) websocketWith(ctx context.Context, query, headers string) (*socket, http.Header, error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	_, err = io.WriteString(conn, "GET "+websocketURL+query+" HTTP/1.1\r\nHost: ws.example.com\r\n"+headers+"\r\n\r\n")
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	s := &socket{conn: conn, r: bufio.NewReaderSize(conn, 1024)}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, errors.Join(fmt.Errorf("upgrade: %d", resp.StatusCode), conn.Close())
	}
	return s, resp.Header, nil
}

// member is a WebSocket that is connected to "/".
func (p *party) member(ctx context.Context, auth string) (*socket, error) {
	s, err := p.websocket(ctx, "")
	if err != nil {
		return nil, err
	}
	err = s.text("40" + auth)
	if err == nil {
		err = s.expect("40{")
	}
	if err != nil {
		return nil, errors.Join(err, s.conn.Close())
	}
	return s, nil
}

// frame appends a frame with any first byte and a mask of zeros.
func frame(dst []byte, first byte, payload []byte) []byte {
	dst = append(dst, first)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

func (s *socket) raw(b []byte) error {
	_, err := s.conn.Write(b)
	return err
}

func (s *socket) text(message string) error { return s.raw(frame(nil, 0x81, []byte(message))) }

// read returns the next frame; servers send whole messages and no masks.
func (s *socket) read() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(s.r, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(s.r, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(s.r, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(s.r, payload)
	return head[0], payload, err
}

// message returns the next text, and answers pings on the way.
func (s *socket) message() (string, error) {
	for {
		first, payload, err := s.read()
		switch {
		case err != nil:
			return "", err
		case first == 0x88:
			return "", errClosed
		case first == 0x81 && string(payload) == "2":
			if err := s.text("3"); err != nil {
				return "", err
			}
		case first == 0x81:
			return string(payload), nil
		}
	}
}

var errClosed = errors.New("closed by the gateway")

// expect reads until a text begins with what is wanted.
func (s *socket) expect(want string) error {
	for {
		got, err := s.message()
		if err != nil {
			return fmt.Errorf("want %q: %w", want, err)
		}
		if strings.HasPrefix(got, want) {
			return nil
		}
	}
}

// closedWith wants the gateway to close with a code, 0 for a close frame
// without one.
func (s *socket) closedWith(code int) error {
	for {
		first, payload, err := s.read()
		if err != nil {
			return fmt.Errorf("no close frame: %w", err)
		}
		if first != 0x88 {
			continue
		}
		got := 0
		if len(payload) >= 2 {
			got = int(binary.BigEndian.Uint16(payload))
		}
		if got != code {
			return fmt.Errorf("closed with %d, want %d", got, code)
		}
		return nil
	}
}
