package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

// admission counts the sessions of each address, and how fast they come. An
// address is forgotten when it has no session and its bucket is full again, so
// that the memory is bounded by who is here and who has just been.
type admission struct {
	cfg AddressConfig
	now func() time.Time

	mu        sync.Mutex // guards what follows
	addresses map[string]*address
	swept     time.Time
}

type address struct {
	sessions int
	bucket   *rate.Limiter
}

// AddressConfig bounds what one client address may do on one gateway. Behind a
// balancer the address is the balancer's, unless it is believed about its
// clients.
type AddressConfig struct {
	// MaxSessions of one address. Default 500, for offices behind one address.
	// Zero means no limit.
	MaxSessions int `toml:"max_sessions"`
	// NewPerSecond is how many sessions of one address may begin per second.
	// Default 20. Zero means no limit.
	NewPerSecond float64 `toml:"new_per_second"`
	// Burst is how many may begin at once. Default 100.
	Burst int `toml:"burst"`
}

// sweepEvery is the time between two looks for addresses to forget.
const sweepEvery = time.Minute

func newAdmission(cfg AddressConfig, now func() time.Time) *admission {
	return &admission{cfg: cfg, now: now, addresses: make(map[string]*address)}
}

// admit asks for one more session of an address; why is "" when it may begin.
// It is counted by opened, when it has begun.
func (a *admission) admit(addr string) (why reason.Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.sweepLocked(now)
	at := a.addresses[addr]
	if at == nil {
		at = &address{bucket: rate.NewLimiter(rate.Inf, 0)}
		if a.cfg.NewPerSecond > 0 {
			at.bucket = rate.NewLimiter(rate.Limit(a.cfg.NewPerSecond), max(a.cfg.Burst, 1))
		}
		a.addresses[addr] = at
	}
	if a.cfg.MaxSessions > 0 && at.sessions >= a.cfg.MaxSessions {
		return reason.AddressSessions
	}
	if !at.bucket.AllowN(now, 1) {
		return reason.AddressRate
	}
	return ""
}

func (a *admission) opened(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.addresses[addr]; at != nil {
		at.sessions++
		return
	}
	a.addresses[addr] = &address{sessions: 1, bucket: rate.NewLimiter(rate.Inf, 0)}
}

func (a *admission) closed(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.addresses[addr]; at != nil {
		at.sessions--
	}
}

func (a *admission) sweepLocked(now time.Time) {
	if now.Sub(a.swept) < sweepEvery {
		return
	}
	a.swept = now
	for addr, at := range a.addresses {
		full := at.bucket.Limit() == rate.Inf || at.bucket.TokensAt(now) >= float64(at.bucket.Burst())
		if at.sessions <= 0 && full {
			delete(a.addresses, addr)
		}
	}
}

// hostOf is the address without its port.
func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// admitRequest decides about a new session before anything is allocated for it.
func (g *Gateway) admitRequest(r *http.Request) *transport.Refusal {
	if !g.Accepting() {
		return transport.Refuse(reason.Draining)
	}
	if why := g.admission.admit(hostOf(r.RemoteAddr)); why != "" {
		return transport.Refuse(why)
	}
	return nil
}

// userFull tells whether a user has as many sockets here as it may have. Two
// that connect at the same moment may both pass: the limit is against floods.
func (g *Gateway) userFull(u id.User) bool {
	if u == "" || g.cfg.MaxUserSockets == 0 {
		return false
	}
	n := 0
	for _, s := range g.shards {
		s.mu.Lock()
		if r := s.rooms[id.UserTarget(u)]; r != nil {
			n += len(r.members)
		}
		s.mu.Unlock()
	}
	return n >= g.cfg.MaxUserSockets
}
