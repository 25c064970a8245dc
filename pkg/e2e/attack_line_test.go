package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// socketLine is a WebSocket of a villager.
type socketLine struct {
	s  *socket
	mu sync.Mutex // guards writing
}

func openSocket(ctx context.Context, home *party) (*socketLine, error) {
	s, err := home.websocket(ctx, "")
	if err != nil {
		return nil, err
	}
	go func() { // a villager has no deadlines of its own, it ends with its village
		<-ctx.Done()
		_ = s.conn.Close() // the village ends
	}()
	return &socketLine{s: s}, s.conn.SetDeadline(time.Time{})
}

func (l *socketLine) next() (string, error) {
	for {
		first, payload, err := l.s.read()
		switch {
		case err != nil:
			return "", err
		case first == 0x88:
			return "", errClosed
		case first != 0x81:
			continue
		}
		switch message := string(payload); message[0] {
		case '2':
			if err := l.say("3"); err != nil {
				return "", err
			}
		case '4':
			return message, nil
		}
	}
}

func (l *socketLine) say(message string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.text(message)
}

// pollingLine is a session over polling of a villager, with one connection for
// its polls and one for its posts.
type pollingLine struct {
	ctx    context.Context
	client *http.Client
	url    string
	queue  []string

	mu sync.Mutex // one POST at a time
}

func openPolling(ctx context.Context, home *party) (*pollingLine, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: home.source}}
	transport := &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 2}
	l := &pollingLine{ctx: ctx, client: &http.Client{Transport: transport, Timeout: 2 * enough}, url: "http://" + home.addr + pollingURL}
	go func() {
		<-ctx.Done()
		transport.CloseIdleConnections()
	}()
	hello, err := l.ask(http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(hello, `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return nil, fmt.Errorf("handshake: %.80q", hello)
	}
	l.url += "&sid=" + sid
	return l, nil
}

func (l *pollingLine) ask(method, body string) (string, error) {
	r, err := http.NewRequestWithContext(l.ctx, method, l.url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %.80q", method, resp.StatusCode, b)
	}
	return string(b), err
}

func (l *pollingLine) next() (string, error) {
	for {
		for len(l.queue) > 0 {
			message := l.queue[0]
			l.queue = l.queue[1:]
			switch {
			case message == "2":
				if err := l.say("3"); err != nil {
					return "", err
				}
			case strings.HasPrefix(message, "4"):
				return message, nil
			case message == "1":
				return "", errClosed
			}
		}
		b, err := l.ask(http.MethodGet, "")
		if err != nil {
			return "", err
		}
		l.queue = strings.Split(b, "\x1e")
	}
}

func (l *pollingLine) say(message string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.ask(http.MethodPost, message)
	return err
}
