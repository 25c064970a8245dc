package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slowDoc is a document that only those are in who take nothing of it.
const slowDoc = "own-slow"

func floodAttacks(t *testing.T) []attack {
	slow := authOf(t, "slow", fmt.Sprintf(`"documents":[%q]`, slowDoc))
	slowPoll := authOf(t, "slow poll", fmt.Sprintf(`"documents":[%q]`, slowDoc))
	return []attack{
		{"more sessions than an address may have", manySessions},
		{"more connections than an address may have", manyConnections},
		{"a flood of unknown sids", manyUnknown},
		{"more sockets than a user may have", manySockets(authOf(t, "many"))},
		{"acknowledgements that nobody asked for", strayAcks(authOf(t, "acks"))},
		{"takes nothing", takesNothing(slow)},
		{"never polls", neverPolls(slowPoll)},
		{"opens and leaves", opensAndLeaves},
	}
}

// manySessions opens sessions until it may not, and says of each that it is for
// somebody else.
func manySessions(ctx context.Context, p *party) error {
	return p.flood(ctx, http.StatusOK, func(i int) string {
		return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.2.%d\r\nForwarded: for=10.1.2.%d\r\n\r\n", pollingURL, i%256, i%256)
	})
}

// manyUnknown asks for sessions that do not exist, until it is told to wait.
func manyUnknown(ctx context.Context, p *party) error {
	return p.flood(ctx, http.StatusBadRequest, func(i int) string {
		return fmt.Sprintf("GET %s&sid=%027d HTTP/1.1\r\nHost: a\r\n\r\n", pollingURL, i)
	})
}

// flood sends requests one behind the other on one connection, which is as fast as
// it can be, until one is answered that it came too fast. Those before it get
// another status.
func (p *party) flood(ctx context.Context, before int, request func(i int) string) error {
	const most = 400
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the rest of the answers is not read
	go func() {
		for i := range most {
			if _, err := io.WriteString(conn, request(i)); err != nil {
				return // enough was said
			}
		}
	}()
	r := bufio.NewReader(conn)
	for range most {
		a, err := hear(r)
		if err != nil {
			return err
		}
		switch {
		case a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != "":
			return nil
		case a.status != before:
			return fmt.Errorf("%d %.80q", a.status, a.body)
		}
	}
	return fmt.Errorf("%d at once are taken", most)
}

// manyConnections opens connections that say nothing, until one that asks gets no
// answer. On a machine that is busy the first may be gone before the last comes.
func manyConnections(ctx context.Context, p *party) error {
	for range 5 {
		if ok, err := p.crowd(ctx, 300); ok || err != nil {
			return err
		}
	}
	return errors.New("one address has 300 connections")
}

// crowd opens connections and tells whether the last of them is shut out.
func (p *party) crowd(ctx context.Context, size int) (shutOut bool, err error) {
	all := make([]net.Conn, 0, size)
	defer func() {
		for _, conn := range all {
			_ = conn.Close() // they said nothing
		}
	}()
	for range size {
		conn, err := p.dial(ctx)
		if err != nil {
			return true, nil //nolint:nilerr // not even a connection
		}
		all = append(all, conn)
	}
	last := all[size-1]
	if _, err := io.WriteString(last, request("GET", pollingURL, "")); err != nil {
		return true, nil //nolint:nilerr // it is closed
	}
	a, err := hear(bufio.NewReader(last))
	if err == nil && a.status != http.StatusOK && a.status != http.StatusTooManyRequests {
		return false, fmt.Errorf("%d %.80q", a.status, a.body)
	}
	return err != nil, nil
}

// manySockets connects as one user until it may not.
func manySockets(auth string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		for range 20 {
			s, err := p.websocket(ctx, "")
			if err != nil {
				return err
			}
			defer func() { _ = s.conn.Close() }() // all of them are open until the end
			if err := s.text("40" + auth); err != nil {
				return err
			}
			got, err := s.message()
			for err == nil && got[0] != '4' {
				got, err = s.message()
			}
			switch {
			case err != nil:
				return err
			case strings.HasPrefix(got, `44{"message":"Too many connections","data":{"code":"user_sockets","retry":"later"`):
				return nil
			}
		}
		return errors.New("one user has twenty sockets")
	}
}

// strayAcks acknowledges what was never asked, and is told why it is closed.
func strayAcks(auth string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, auth)
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // the gateway has closed it
		for i := range 100 {
			if s.text(fmt.Sprintf("43%d[]", 900719925474099+i)) != nil {
				break // it is closed already
			}
		}
		if err := s.expect(`42["sluice:closing",{"code":"stray_acks","retry":"never"}]`); err != nil {
			return err
		}
		return s.closedWith(0)
	}
}

// takesNothing joins where much is said and does not read. It is cut in the middle
// of what it would have read.
func takesNothing(auth string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, auth)
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // the gateway has cut it
		if c, ok := s.conn.(*net.TCPConn); ok {
			_ = c.SetReadBuffer(4096) // the system may take more
		}
		// Until enough was said, however long that takes on a busy machine: then a
		// pong, which asks for nothing, cannot be written any more.
		for s.raw(frame(nil, 0x8a, nil)) == nil {
			time.Sleep(time.Second)
		}
		for {
			first, _, err := s.read()
			var late net.Error
			switch {
			case err == nil && first == 0x88:
				return errors.New("closed in order, as if it had listened")
			case errors.As(err, &late) && late.Timeout():
				return errors.New("not cut")
			case err != nil:
				return nil
			}
		}
	}
}

// neverPolls joins where much is said and does not ask for it.
func neverPolls(auth string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.joined(ctx, auth)
		if err != nil {
			return err
		}
		for until := time.Now().Add(enough); s.post(ctx, "3") == nil && time.Now().Before(until); {
			time.Sleep(time.Second) // until enough was said
		}
		return s.gone(ctx)
	}
}

// opensAndLeaves leaves in the middle of everything: nothing may be left of it.
func opensAndLeaves(ctx context.Context, p *party) error {
	for _, said := range []string{"", "GET " + pollingURL, request("GET", pollingURL, "")[:40], "GET " + websocketURL + " HTTP/1.1\r\nHost: a\r\n" + upgradeHeaders + "\r\n\r\n"} {
		conn, err := p.dial(ctx)
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, said)
		if err := errors.Join(err, conn.Close()); err != nil {
			return err
		}
	}
	return nil
}
