package swarm

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Control is one ordinary client that emits events and waits for their acks, to
// steer a server. Its calls may be made by any number of goroutines.
type Control struct {
	conn   net.Conn
	reader sync.WaitGroup

	mu    sync.Mutex // guards what follows
	next  uint64
	calls map[uint64]chan json.RawMessage
	err   error // why there are no more answers
}

// ErrEndedByServer means that the server has closed the control connection.
var ErrEndedByServer = errors.New("swarm: the server has ended the control connection")

// DialControl connects to a server at host:port, with TLS if secure is not nil.
// The path is as "/socket.io/".
func DialControl(ctx context.Context, address, path string, auth []byte, secure *tls.Config) (*Control, error) {
	dial := (&net.Dialer{}).DialContext
	if secure != nil {
		dial = (&tls.Dialer{Config: secure}).DialContext
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &Control{conn: conn, calls: map[uint64]chan json.RawMessage{}}
	in := bufio.NewReader(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // a closed one needs none
	err = c.open(in, address, path, auth)
	switch {
	case !stop():
		err = fmt.Errorf("no answer: %w", ctx.Err())
	case errors.Is(err, io.EOF):
		err = ErrEndedByServer
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("control connection to %s: %w", address, err), conn.Close())
	}
	c.reader.Go(func() { c.read(in) })
	return c, nil
}

func (c *Control) open(in *bufio.Reader, host, path string, auth []byte) error {
	if _, err := c.conn.Write(appendHandshake(nil, host, path)); err != nil {
		return err
	}
	var head []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		head = append(head, line...)
		status, size, err := parseHead(head)
		if err != nil {
			return err
		}
		if size > 0 {
			if status != 101 {
				return fmt.Errorf("the upgrade is answered %d", status)
			}
			break
		}
	}
	if _, err := nextText(in); err != nil { // the open packet
		return err
	}
	if err := c.write("40" + string(auth)); err != nil {
		return err
	}
	answer, err := nextText(in)
	if err == nil && !strings.HasPrefix(answer, "40") {
		err = fmt.Errorf("CONNECT is answered %q", answer)
	}
	return err
}

// nextText returns the next text message.
func nextText(in *bufio.Reader) (string, error) {
	for {
		var head []byte
		var f frame
		for size := 0; size == 0; {
			b, err := in.ReadByte()
			if err != nil {
				return "", err
			}
			head = append(head, b)
			if f, size, err = parseFrame(head); err != nil {
				return "", err
			}
		}
		switch {
		case f.op == opClose:
			return "", io.EOF
		case f.op == opText && f.fin:
			return string(f.payload), nil
		}
	}
}

func (c *Control) write(text string) error {
	_, err := c.conn.Write(appendFrame(nil, opText, []byte(text)))
	return err
}

func (c *Control) read(in *bufio.Reader) {
	for {
		text, err := nextText(in)
		if err == nil && text == "2" {
			err = c.write("3")
		}
		if err != nil {
			c.fail(err)
			return
		}
		if !strings.HasPrefix(text, "43") {
			continue
		}
		id, hasID, data := splitPacket([]byte(text[2:]))
		if !hasID {
			continue
		}
		c.mu.Lock()
		answer := c.calls[id]
		delete(c.calls, id)
		c.mu.Unlock()
		if answer != nil {
			answer <- data // it has room
		}
	}
}

func (c *Control) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = ErrEndedByServer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for id, answer := range c.calls {
		delete(c.calls, id)
		close(answer)
	}
}

// Emit sends an event with its arguments, a JSON array without the name, and
// returns the arguments of the ack.
func (c *Control) Emit(ctx context.Context, event string, args ...any) (json.RawMessage, error) {
	packet, err := json.Marshal(append([]any{event}, args...))
	if err != nil {
		return nil, err
	}
	answer := make(chan json.RawMessage, 1)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.next++
	id := c.next
	c.calls[id] = answer
	c.mu.Unlock()
	if err := c.write("42" + strconv.FormatUint(id, 10) + string(packet)); err != nil {
		return nil, err
	}
	select {
	case data, ok := <-answer:
		if !ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			return nil, c.err
		}
		return data, nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
		return nil, ctx.Err()
	}
}

// Close ends the connection.
func (c *Control) Close() error {
	err := c.conn.Close()
	c.reader.Wait()
	return err
}
