package session

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between a client and Redis and can be cut.
type proxy struct {
	t  testing.TB
	to string
	ln net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex // guards all below
	down  bool
	conns map[*proxied]bool
}

// proxied is one connection.
type proxied struct{ client, server net.Conn }

func newProxy(t testing.TB, to string) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, to: to, ln: ln, conns: make(map[*proxied]bool)}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		c := &proxied{client: client, server: server}
		p.mu.Lock()
		if p.down || err != nil {
			p.mu.Unlock()
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.conns[c] = true
		p.mu.Unlock()
		p.wg.Go(func() { p.pump(c, server, client) })
		p.wg.Go(func() { p.pump(c, client, server) })
	}
}

func (p *proxy) pump(c *proxied, dst, src net.Conn) {
	defer p.close(c)
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) close(c *proxied) {
	_ = c.client.Close()
	_ = c.server.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// cut closes everything and refuses what is new until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	p.down = true
	var open []*proxied
	for c := range p.conns {
		open = append(open, c)
	}
	p.mu.Unlock()
	for _, c := range open {
		p.close(c)
	}
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}
