package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"sluice/pkg/edge"
	"sluice/pkg/id"
	"sluice/pkg/reason"
	"sluice/pkg/transport"
)

// admission counts the sessions of each address and how fast they come, and how
// often an address asks for sessions that do not exist.
type admission struct {
	sessions *edge.Table
	unknown  *edge.Table
}

// AddressConfig bounds what one client address may do on one gateway; an IPv6
// address counts as its /64. Behind a balancer the address is the balancer's,
// unless it is believed about its clients, see edge.proxy_protocol and
// edge.trusted_proxies.
type AddressConfig struct {
	// MaxSessions of one address. Default 500, for offices behind one address.
	// Zero means no limit.
	MaxSessions int `toml:"max_sessions"`
	// NewPerSecond is how many sessions of one address may begin per second.
	// Default 20. Zero means no limit.
	NewPerSecond float64 `toml:"new_per_second"`
	// Burst is how many may begin at once. Default 100.
	Burst int `toml:"burst"`
	// UnknownPerSecond is how many requests of one address for sessions that do
	// not exist are answered per second; then they get 429, and are not passed on
	// to other gateways. Default 20, as clients only ask so when a gateway was
	// lost. Zero means no limit.
	UnknownPerSecond float64 `toml:"unknown_per_second"`
	// UnknownBurst is how many of these may come at once. Default 500.
	UnknownBurst int `toml:"unknown_burst"`
	// MaxRemembered is how many addresses without a session are remembered.
	// Default 65536, of about 60 bytes each.
	MaxRemembered int `toml:"max_remembered"`
}

func defaultAddress() AddressConfig {
	return AddressConfig{
		MaxSessions: 500, NewPerSecond: 20, Burst: 100, UnknownPerSecond: 20, UnknownBurst: 500, MaxRemembered: 65536,
	}
}

func (c *AddressConfig) check() (errs []error) {
	bad := func(key, text string) { errs = append(errs, fmt.Errorf("address.%s: must %s", key, text)) }
	for key, n := range map[string]float64{
		"max_sessions": float64(c.MaxSessions), "new_per_second": c.NewPerSecond, "unknown_per_second": c.UnknownPerSecond,
	} {
		if n < 0 {
			bad(key, "not be negative")
		}
	}
	if c.NewPerSecond > 0 && c.Burst < 1 {
		bad("burst", "be at least 1")
	}
	if c.UnknownPerSecond > 0 && c.UnknownBurst < 1 {
		bad("unknown_burst", "be at least 1")
	}
	if c.MaxRemembered < 1 {
		bad("max_remembered", "be at least 1")
	}
	return errs
}

func newAdmission(cfg AddressConfig, now func() time.Time) *admission {
	return &admission{
		sessions: edge.NewTable(edge.Limits{
			PerAddress: cfg.MaxSessions, PerSecond: cfg.NewPerSecond, Burst: cfg.Burst, Remembered: cfg.MaxRemembered,
		}, now),
		unknown: edge.NewTable(edge.Limits{
			PerSecond: cfg.UnknownPerSecond, Burst: cfg.UnknownBurst, Remembered: cfg.MaxRemembered,
		}, now),
	}
}

// admit asks for one more session of an address; why is "" when it may begin.
// It is counted by opened, when it has begun.
func (a *admission) admit(addr netip.Addr) (why reason.Reason) {
	switch a.sessions.Ask(addr) {
	case edge.Welcome:
		return ""
	case edge.TooMany:
		return reason.AddressSessions
	}
	return reason.AddressRate
}

// addrOf is the address of a remote "host:port". What is none, as over a Unix
// socket, is all one address.
func addrOf(remote string) netip.Addr {
	ap, _ := netip.ParseAddrPort(remote) // see above
	return ap.Addr()
}

// admitRequest decides about a new session before anything is allocated for it.
func (g *Gateway) admitRequest(r *http.Request) *transport.Refusal {
	if !g.Accepting() {
		return transport.Refuse(reason.Draining)
	}
	if why := g.admission.admit(addrOf(r.RemoteAddr)); why != "" {
		return transport.Refuse(why)
	}
	return nil
}

// unknownRate is made once: it is the answer to floods.
var unknownRate = transport.Refuse(reason.UnknownRate)

// refuseUnknown is asked about requests for sessions that do not exist.
func (g *Gateway) refuseUnknown(r *http.Request) *transport.Refusal {
	if g.admission.unknown.Ask(addrOf(r.RemoteAddr)) != edge.Welcome {
		return unknownRate
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
		if r := s.users.find(string(u)); r != nil {
			n += r.size()
		}
		s.mu.Unlock()
	}
	return n >= g.cfg.MaxUserSockets
}
