package redistest

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and Redis and can be cut.
type Proxy struct {
	t  testing.TB
	to string
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex // guards all below
	down   bool
	conns  map[*proxied]bool
	counts map[string]int
}

// proxied is one connection and the words of interest that it carried.
type proxied struct {
	client, server net.Conn
	words          map[string]bool
	frozen         bool
}

// proxyWords are what Freeze and Opened know, as clients write them.
var proxyWords = []string{"subscribe"}

// NewProxy opens a way to the Redis at to. It is closed with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{t: t, to: to, ln: ln, conns: make(map[*proxied]bool), counts: make(map[string]int)}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Addr is where clients reach it.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", p.to)
		c := &proxied{client: client, server: server, words: make(map[string]bool)}
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
		p.wg.Go(func() { p.pump(c, server, client, true) })
		p.wg.Go(func() { p.pump(c, client, server, false) })
	}
}

func (p *Proxy) pump(c *proxied, dst, src net.Conn, up bool) {
	defer p.close(c)
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		p.mu.Lock()
		if up {
			for _, w := range proxyWords {
				if bytes.Contains(buf[:n], []byte(w)) && !c.words[w] {
					c.words[w] = true
					p.counts[w]++
				}
			}
		}
		frozen := c.frozen
		p.mu.Unlock()
		if n > 0 && !frozen {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) close(c *proxied) {
	_ = c.client.Close()
	_ = c.server.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// Cut closes everything and refuses what is new until Mend.
func (p *Proxy) Cut() {
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

// Mend lets connections through again.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// Freeze swallows what the connections that carried the word send from now on,
// in both directions, and keeps them open.
func (p *Proxy) Freeze(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.words[word] {
			c.frozen = true
		}
	}
}

// Opened counts the connections that have carried the word.
func (p *Proxy) Opened(word string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[word]
}
