package replica

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// line is the way to a MySQL server, and can be cut.
type line struct {
	listener net.Listener
	server   string

	wg    sync.WaitGroup
	mu    sync.Mutex // guards the rest
	cut   bool
	conns map[net.Conn]bool
}

func newLine(t *testing.T, server string) *line {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &line{listener: listener, server: server, conns: map[net.Conn]bool{}}
	l.wg.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.set(true)
		l.wg.Wait()
	})
	return l
}

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.server)
		if err != nil || !l.keep(near, far) {
			near.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			l.wg.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				near.Close()
				far.Close()
			})
		}
	}
}

func (l *line) keep(near, far net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		far.Close()
		return false
	}
	l.conns[near], l.conns[far] = true, true
	return true
}

// set cuts the line, open connections included, or mends it.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.conns {
			c.Close()
		}
		clear(l.conns)
	}
}

func TestServerThatGoesAndComesIsReachedAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b backend) {
		if b.driver != DriverMySQL {
			return // a file does not go away
		}
		cfg, err := mysql.ParseDSN(b.dsn)
		must(t, err)
		l := newLine(t, cfg.Addr)
		cfg.Addr = l.listener.Addr().String()
		const pause = 30 * time.Second
		c := newClock()
		r := backend{DriverMySQL, cfg.FormatDSN()}.run(t, testConfig(), named("one", "1"), c)
		logged := func(what string) int { return r.logs.FilterMessageSnippet(what).Len() }
		for n := range 3 {
			l.set(true)
			eventually(t, "the outage is noticed", func() bool { return logged("cannot be reached") == n+1 })
			wantMembers(t, r.Registry, "one")
			mint(t, r.Registry)
			before := r.gen.Load().Until()
			c.step(pause)
			l.set(false)
			eventually(t, "the lease grows again", func() bool { return r.gen.Load().Until() == before+pause.Milliseconds() })
			eventually(t, "the end is noticed", func() bool { return logged("is reached again") == n+1 })
		}
		must(t, r.Release(soon(t)))
	})
}
