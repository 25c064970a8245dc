package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/auth"
	"sluice/pkg/id"
	"sluice/pkg/session"
	"sluice/pkg/transport"
)

const (
	idleSockets = 1000
	perHundred  = 100_000.0 / idleSockets // thousand
)

// idleWorld has sockets that do nothing, of users whose tokens end tomorrow.
func idleWorld(b *testing.B) *world {
	w := newWorld(b, func(c *Config, _ *transport.Config) {
		c.Address.MaxSessions, c.Address.NewPerSecond = 0, 0
	})
	ends := time.Now().Add(24 * time.Hour)
	w.verify = func(_, token string) (auth.Identity, error) {
		return auth.Identity{User: id.User(token), AuthType: "web", ExpiresAt: ends}, nil
	}
	for i := range idleSockets {
		w.dial(fmt.Sprintf(`{"token":"user-%d"}`, i))
	}
	return w
}

// each reports what f takes in a second, done so many times.
func each(b *testing.B, times float64, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*times, "ns/s")
}

// BenchmarkIdle is what is done again and again for sockets that do nothing, in
// nanoseconds of a second: of 100,000 of them, from measuring 1,000. The clocks of their connections are in pkg/transport, what Redis is told of them in
// pkg/session.
func BenchmarkIdle(b *testing.B) {
	w := idleWorld(b)
	g := w.gateway
	b.Run("expiry", func(b *testing.B) { // looks at the next one of each shard, however many there are
		each(b, float64(time.Second/expiryTick), func() { g.expire(time.Now()) })
	})
	b.Run("walk", func(b *testing.B) { // once for each refresh of the index
		each(b, perHundred/session.DefaultConfig().RefreshEvery.Seconds(), func() {
			n := 0
			g.Each(func(s id.Socket) bool {
				if _, here := g.Lookup(s); here {
					n++
				}
				return true
			})
			if n != idleSockets {
				b.Fatal(n)
			}
		})
	})
	b.Run("scrape", func(b *testing.B) {
		reg := prometheus.NewRegistry()
		NewMetrics(reg) // the same collectors as the gateway's, which has none of its sockets
		b.ReportAllocs()
		for b.Loop() {
			if _, err := reg.Gather(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
