package bus

import (
	"context"
	"net"
	"sync"

	"github.com/segmentio/kafka-go"
)

// lines are the connections of one consumer. They can be cut, because some waits in
// kafka-go end with their connection only.
type lines struct {
	dialer *kafka.Dialer

	mu    sync.Mutex
	conns map[*line]struct{} // guarded by mu
}

func newLines(sec security) *lines {
	l := &lines{conns: map[*line]struct{}{}}
	l.dialer = &kafka.Dialer{
		ClientID:      clientID,
		Timeout:       dialTimeout,
		DialFunc:      l.dial,
		TLS:           sec.tls,
		SASLMechanism: sec.sasl,
	}
	return l
}

func (l *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tracked := &line{Conn: c, of: l}
	l.mu.Lock()
	l.conns[tracked] = struct{}{}
	l.mu.Unlock()
	return tracked, nil
}

// cut closes every connection that is open now.
func (l *lines) cut() {
	l.mu.Lock()
	open := make([]*line, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

type line struct {
	net.Conn
	of *lines
}

func (c *line) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
