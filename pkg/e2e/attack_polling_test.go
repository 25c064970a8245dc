package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ends is an attack that posts packets to a session of its own and wants the
// session to be closed for it. The POST itself is taken.
func ends(packets ...string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.session(ctx)
		if err != nil {
			return err
		}
		if err := s.post(ctx, packets...); err != nil {
			return err
		}
		return s.gone(ctx)
	}
}

var pollingAttacks = []attack{
	{"packets of no type", ends("9", "8")},
	{"an empty packet", ends("", "")},
	{"a flood of separators", ends(strings.Repeat("\x1e", 5000))},
	{"a hundred packets in one POST", ends(strings.Split(strings.Repeat("3,", 100), ",")[:100]...)},
	{"ping of a polling client", ends("2")},
	{"base64 that is none", ends("b***")},
	{"noop and open", ends("6", "0{}")},
	{"POST too large, announced", tooLarge},
	{"POST too large, in chunks", tooLargeChunks},
	{"slow body", slowBody},
	{"octets from a v4 client", octets},
	{"two polls at once", twoPolls},
	{"another version's request", otherVersion},
	{"another transport's request", otherTransport},
	{"DELETE of a session", otherMethod},
	{"guessed sid", guessed},
	{"sid of another gateway", elsewhere},
}

func tooLarge(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	a, err := s.say(ctx, "POST "+s.url+" HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n", "4")
	if err == nil && a.status != http.StatusRequestEntityTooLarge {
		err = fmt.Errorf("answered %d", a.status)
	}
	if err != nil {
		return err
	}
	return s.post(ctx, "1")
}

func tooLargeChunks(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	chunk := "4000\r\n" + strings.Repeat("4", 0x4000) + "\r\n"
	a, err := s.say(ctx, "POST "+s.url+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, chunk, chunk, chunk, chunk, chunk, chunk)
	if err == nil && a.status != http.StatusRequestEntityTooLarge {
		err = fmt.Errorf("answered %d", a.status)
	}
	if err != nil {
		return err
	}
	return s.post(ctx, "1")
}

func slowBody(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the gateway has cut it
	if _, err := io.WriteString(conn, "POST "+s.url+" HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n40"); err != nil {
		return err
	}
	if err := untilCut(ctx, conn, " "); err != nil {
		return err
	}
	return s.gone(ctx)
}

func octets(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	a, err := s.say(ctx, request("POST", s.url, "\x00\x01\xff4", "Content-Type: application/octet-stream"))
	if err == nil && (a.status != http.StatusBadRequest || a.body != "") {
		err = fmt.Errorf("answered %d %.80q", a.status, a.body)
	}
	if err != nil {
		return err
	}
	return s.gone(ctx)
}

// twoPolls waits with one poll and comes with another: both end, and the session.
func twoPolls(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	type polled struct {
		answer
		err error
	}
	both := make(chan polled, 2)
	for range 2 {
		go func() {
			a, err := s.poll(ctx)
			both <- polled{a, err}
		}()
	}
	refused := 0
	for range 2 {
		got := <-both
		if got.err != nil {
			return got.err
		}
		if got.status == http.StatusBadRequest {
			refused++
		}
	}
	if refused == 0 {
		return errors.New("two polls wait at once")
	}
	return s.gone(ctx)
}

func otherVersion(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	a, err := s.say(ctx, request("GET", strings.Replace(s.url, "EIO=4", "EIO=3", 1), ""))
	if err := refused(a, err, http.StatusBadRequest, 3); err != nil {
		return err
	}
	return s.post(ctx, "1")
}

func otherTransport(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	a, err := s.say(ctx, request("GET", strings.Replace(s.url, "polling", "websocket", 1), ""))
	if err := refused(a, err, http.StatusBadRequest, 3); err != nil {
		return err
	}
	return s.post(ctx, "1")
}

func otherMethod(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	a, err := s.say(ctx, request("DELETE", s.url, ""))
	if err := refused(a, err, http.StatusBadRequest, 3); err != nil {
		return err
	}
	return s.post(ctx, "1")
}

// elsewhere forges a sid that names a gateway that does not exist.
func elsewhere(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	raw, err := base64.RawURLEncoding.DecodeString(s.sid)
	if err != nil {
		return err
	}
	raw[6] ^= 0x20 // a bit of the replica's number
	a, err := s.say(ctx, request("GET", pollingURL+"&sid="+base64.RawURLEncoding.EncodeToString(raw), ""))
	if err := refused(a, err, http.StatusBadRequest, 1); err != nil {
		return err
	}
	return s.post(ctx, "1")
}

// guessed knows the public half of a sid and guesses the secret one.
func guessed(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	forged := s.sid[:len(s.sid)-4] + "AAAA"
	a, err := s.say(ctx, request("GET", pollingURL+"&sid="+forged, ""))
	if err := refused(a, err, http.StatusBadRequest, 1); err != nil {
		return err
	}
	return s.post(ctx, "1")
}
