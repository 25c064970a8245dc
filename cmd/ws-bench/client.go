package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// crowd is the clients of one run.
type crowd struct {
	clients      []*client
	readers      sync.WaitGroup
	memoryBefore float64

	mu      sync.Mutex // guards receive
	receive func(payload string)
}

// client is one Socket.IO client over WebSocket: as little of one as a server
// can tell from a real one.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	out  sync.Mutex // guards writes
}

const connectTimeout = 30 * time.Second

func connect(ctx context.Context, s settings) (*crowd, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	c := &crowd{clients: make([]*client, s.sockets)}
	slots := make(chan struct{}, s.connects)
	failed := make(chan error, s.sockets)
	var all sync.WaitGroup
	for i := range c.clients {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			cl, err := dial(ctx, u, i)
			if err != nil {
				failed <- err
				return
			}
			c.clients[i] = cl
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		c.close()
		return nil, fmt.Errorf("connect: %w (and %d more)", err, len(failed))
	default:
	}
	for _, cl := range c.clients {
		c.readers.Go(func() { c.read(cl) })
	}
	return c, nil
}

// dial connects from a loopback address of its own for every few thousand
// clients, because the ports of one address run out.
func dial(ctx context.Context, u *url.URL, i int) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	d := net.Dialer{}
	if strings.HasPrefix(u.Hostname(), "127.") {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/10_000))}
	}
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, 512)}
	if err := c.handshake(u); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *client) handshake(u *url.URL) error {
	if err := c.conn.SetDeadline(time.Now().Add(connectTimeout)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", u.Host)
	if err != nil {
		return err
	}
	r, err := http.ReadResponse(c.in, nil) //nolint:bodyclose // the body is the WebSocket
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade is answered %s", r.Status)
	}
	if _, err := c.next(); err != nil { // the open packet
		return err
	}
	if err := c.write(`40{"documents":["` + document + `"]}`); err != nil {
		return err
	}
	answer, err := c.next()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "40{") {
		return fmt.Errorf("connect is answered %q", answer)
	}
	return c.conn.SetDeadline(time.Time{})
}

// next returns the payload of the next frame. Servers do not mask.
func (c *client) next() (string, error) {
	var head [10]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return "", err
	}
	if op := head[0] & 0xf; op == 8 {
		return "", io.EOF
	}
	length := uint64(head[1] & 0x7f)
	switch length {
	case 126:
		if _, err := io.ReadFull(c.in, head[:2]); err != nil {
			return "", err
		}
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		if _, err := io.ReadFull(c.in, head[:8]); err != nil {
			return "", err
		}
		length = binary.BigEndian.Uint64(head[:8])
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(c.in, payload)
	return string(payload), err
}

// write sends a text frame, masked with zeros.
func (c *client) write(text string) error {
	c.out.Lock()
	defer c.out.Unlock()
	frame := []byte{0x81}
	if len(text) < 126 {
		frame = append(frame, 0x80|byte(len(text)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(text)))
	}
	frame = append(append(frame, 0, 0, 0, 0), text...)
	_, err := c.conn.Write(frame)
	return err
}

// read answers pings and hands events on until the connection ends.
func (c *crowd) read(cl *client) {
	for {
		payload, err := cl.next()
		if err != nil {
			return
		}
		if payload == "2" {
			if cl.write("3") != nil {
				return
			}
			continue
		}
		c.mu.Lock()
		receive := c.receive
		c.mu.Unlock()
		if receive != nil && strings.HasPrefix(payload, "42") {
			receive(payload)
		}
	}
}

func (c *crowd) onEvent(f func(payload string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receive = f
}

func (c *crowd) close() {
	for _, cl := range c.clients {
		if cl != nil {
			_ = cl.conn.Close() // the reader ends with it
		}
	}
	c.readers.Wait()
}
