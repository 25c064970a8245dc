package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// fleet is the clients of one server.
type fleet struct {
	dialect  *dialect
	address  string
	secure   *tls.Config // nil without TLS
	clients  []*client
	got      atomic.Int64 // messages, of all clients
	lost     atomic.Int64 // connections
	repeated atomic.Int64 // connects that were not answered
	receipts atomic.Bool  // are sent for each message
}

// client is a goroutine that reads; others may write.
type client struct {
	fleet *fleet
	tcp   *net.TCPConn
	conn  net.Conn // the same, or TLS over it
	in    *bufio.Reader
	text  []byte
}

const (
	dialers     = 32
	dialTimeout = 6 * time.Second
	attempts    = 5
	// sendTimeout is how long all may take for what they have been given to do.
	sendTimeout = 60 * time.Second
)

// clientTLS is the cheapest handshake that all servers know, in full each time.
func clientTLS() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // it was made for this run
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
	}
}

// connect adds clients. It returns when all are connected.
func (f *fleet) connect(n int) error {
	begin := len(f.clients)
	f.clients = append(f.clients, make([]*client, n)...)
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(dialers)
	for i := begin; i < len(f.clients); i++ {
		group.Go(func() (err error) {
			for range attempts {
				// One peer loses what clients say as soon as they may, now and then.
				if f.clients[i], err = f.dial(ctx, i); err == nil {
					return nil
				}
				f.repeated.Add(1)
			}
			return err
		})
	}
	return group.Wait()
}

func (f *fleet) dial(ctx context.Context, number int) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", f.address)
	if err != nil {
		return nil, err
	}
	c := &client{fleet: f, tcp: conn.(*net.TCPConn), conn: conn, text: make([]byte, 0, 600)}
	if f.secure != nil {
		c.conn = tls.Client(conn, f.secure)
	}
	c.in = bufio.NewReaderSize(c.conn, 1024)
	deadline, _ := ctx.Deadline() // it was just set
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if err := c.open(number); err != nil {
		return nil, fmt.Errorf("connect: %w", errors.Join(err, conn.Close()))
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	go c.read()
	return c, nil
}

// open upgrades, and says hello.
func (c *client) open(number int) error {
	d := c.fleet.dialect
	_, err := io.WriteString(c.conn, "GET "+d.path+" HTTP/1.1\r\nHost: "+c.fleet.address+
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(answer.Status)
	}
	if d.hello == nil {
		return nil
	}
	if d.greets {
		if _, err := c.next(); err != nil {
			return err
		}
	}
	if _, err := c.conn.Write(masked(d.hello(number))); err != nil {
		return err
	}
	text, err := c.next()
	if err == nil && !d.connected(text) {
		err = fmt.Errorf("the server says %.200q instead of a welcome", text)
	}
	return err
}

// read counts messages until the connection ends.
func (c *client) read() {
	d := c.fleet.dialect
	for {
		text, err := c.next()
		if err != nil {
			c.fleet.lost.Add(1)
			return
		}
		if d.isPing(text) {
			_, err = c.conn.Write(d.pong)
		}
		n := d.messages(text)
		for i := 0; i < n && c.fleet.receipts.Load() && err == nil; i++ {
			_, err = c.conn.Write(d.receipt)
		}
		if err != nil {
			continue // reading says so, too
		}
		c.fleet.got.Add(int64(n))
	}
}

// next returns the next text, which is good until the next call.
func (c *client) next() ([]byte, error) {
	for {
		head, err := c.in.Peek(2)
		if err != nil {
			return nil, err
		}
		op, n, skip := head[0]&0xf, int(head[1]), 2
		switch n {
		case 126:
			if head, err = c.in.Peek(4); err != nil {
				return nil, err
			}
			n, skip = int(binary.BigEndian.Uint16(head[2:])), 4
		case 127:
			return nil, errors.New("a frame that nobody asked for")
		}
		if _, err := c.in.Discard(skip); err != nil {
			return nil, err
		}
		c.text = append(c.text[:0], make([]byte, n)...)
		if _, err := io.ReadFull(c.in, c.text); err != nil {
			return nil, err
		}
		switch op {
		case 0x1:
			return c.text, nil
		case 0x8:
			return nil, io.EOF
		}
	}
}

// wait returns when the clients have got so many messages.
func (f *fleet) wait(messages int64) error {
	return until(func() (bool, error) {
		if n := f.lost.Load(); n > 0 {
			return false, fmt.Errorf("%d connections were lost", n)
		}
		return f.got.Load() >= messages, nil
	}, time.Millisecond, "messages")
}

// until asks again and again.
func until(done func() (bool, error), pause time.Duration, what string) error {
	for end := time.Now().Add(sendTimeout); time.Now().Before(end); time.Sleep(pause) {
		if ok, err := done(); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("%s are missing after %v", what, sendTimeout)
}

// send lets each client send a message.
func (f *fleet) send() error {
	for _, c := range f.clients {
		if _, err := c.conn.Write(f.dialect.up); err != nil {
			return err
		}
	}
	return nil
}

// cut ends all connections at once, and leaves no port waiting.
func (f *fleet) cut() {
	for _, c := range f.clients {
		if c != nil {
			_ = c.tcp.SetLinger(0) // it may be closed
			_ = c.tcp.Close()      // the same
		}
	}
}
