package edge

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// The reasons to refuse a connection besides those of the Table.
const (
	BadHeader     Verdict = "proxy_header"  // malformed, or not there
	SlowHeader    Verdict = "proxy_timeout" // not complete in time
	HandshakeBusy Verdict = "handshake_busy"
	NoFiles       Verdict = "no_files" // no file descriptor is left, or the kernel watches no more of them
)

// Port is what all listeners of a client port share.
type Port struct {
	cfg     Config
	proxies Networks // that speak the PROXY protocol
	trusted Networks // that forward requests
	table   *Table
	slots   *slots
	m       *Metrics
	log     *elog.Component
}

// NewPort builds the port of a config that is valid.
func NewPort(cfg Config, m *Metrics, log *elog.Component) *Port {
	proxies, _ := ParseNetworks(cfg.ProxyProtocol) // Validate has read them
	trusted, _ := ParseNetworks(cfg.TrustedProxies)
	p := &Port{
		cfg: cfg, proxies: proxies, trusted: trusted, m: m, log: log,
		slots: newSlots(cfg.handshakes(), cfg.HeaderTimeout),
		table: NewTable(Limits{
			PerAddress: cfg.MaxConnsPerAddress, PerSecond: cfg.ConnsPerSecond, Burst: cfg.ConnsBurst,
			Total: cfg.conns(), Remembered: cfg.MaxAddresses,
		}, time.Now),
	}
	m.watch(p.table)
	return p
}

// Full tells whether new connections are refused because of all those that
// there are.
func (p *Port) Full() bool { return p.table.Full() }

// exempt tells whether an address is not limited as one: through a proxy come
// many.
func (p *Port) exempt(a netip.Addr) bool { return p.trusted.Contains(a) }

// Listener accepts clients.
type Listener struct {
	*Port
	inner  *net.TCPListener
	spare  *spare
	closed atomic.Bool
	stop   chan struct{}
	door   *door // nil: everything is for net/http
	secure Secure
}

// Secure puts TLS around a connection. What it puts in between has a NetConn.
type Secure func(net.Conn) *tls.Conn

// Listen makes a client port of a TCP listener.
func (p *Port) Listen(inner *net.TCPListener) *Listener {
	return &Listener{Port: p, inner: inner, spare: newSpare(), stop: make(chan struct{})}
}

// Accept implements net.Listener. It returns with an error only when the
// listener is closed or broken.
func (l *Listener) Accept() (net.Conn, error) {
	if l.door != nil {
		return l.door.next()
	}
	for {
		tcp, err := l.inner.AcceptTCP()
		switch {
		case err == nil:
			if c := l.admit(tcp); c != nil {
				return l.over(c), nil
			}
		case outOfFiles(err) && !l.closed.Load():
			l.shed(err)
		case ofOneConnection(err):
			l.skip(err)
		default:
			return nil, err
		}
	}
}

// over puts TLS around a connection, if there is any.
func (l *Listener) over(c *Conn) net.Conn {
	if l.secure == nil {
		return c
	}
	return l.secure(c)
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	close(l.stop)
	if l.door != nil {
		l.door.close()
	}
	return l.inner.Close()
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// admit counts a connection, or closes it. Who stands behind a proxy is only
// known later.
func (l *Listener) admit(tcp *net.TCPConn) *Conn {
	p, behind, v := l.hold(addrOf(tcp.RemoteAddr()))
	c := &Conn{TCPConn: tcp, slot: slot{port: l.Port}, l: l, behind: behind}
	if v != Welcome {
		c.abort()
		return nil
	}
	c.place.Store(p)
	return c
}

// hold finds the place of a peer, and counts whether there is one.
func (l *Listener) hold(peer netip.Addr) (p *Place, behind bool, v Verdict) {
	behind = l.proxies.Contains(peer)
	if behind || l.exempt(peer) {
		p, v = l.table.HoldAny()
	} else {
		p, v = l.table.Hold(peer)
	}
	if v == Welcome {
		l.m.accepted.Inc()
	} else {
		l.m.refused.WithLabelValues(string(v)).Inc()
	}
	return p, behind, v
}

// addrOf is the address of a peer without its port.
func addrOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func headerVerdict(err error) Verdict {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return SlowHeader
	}
	return BadHeader
}
