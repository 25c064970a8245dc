package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attack is one kind of bad client. Its function plays it once and returns an
// error when the gateway did not answer as it should.
type attack struct {
	name string
	run  func(ctx context.Context, p *party) error
}

// attacks is all of them, at least forty.
func attacks(t *testing.T) []attack {
	return slices.Concat(httpAttacks, websocketAttacks, pollingAttacks, socketioAttacks(t), authAttacks(t), floodAttacks(t))
}

const (
	attackFor   = 10 * time.Second       // how long all kinds are at it
	attackPause = 300 * time.Millisecond // of one kind, between two rounds
)

// TestBadClientsDoNotHarmGoodOnes plays every kind of bad client at once, again
// and again, beside honest ones whose numbered messages go up and down the whole
// time. The honest ones must not notice; the bad ones must each be refused as
// they should; and when they are gone, nothing of them must be left.
func TestBadClientsDoNotHarmGoodOnes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has the whole of 127.0.0.0/8 without being asked")
	}
	kinds := attacks(t)
	if len(kinds) < 40 {
		t.Fatalf("%d kinds of bad clients", len(kinds))
	}
	begun := time.Now()
	phase := func(what string) { t.Logf("%5.1f s: %s", time.Since(begun).Seconds(), what) }
	c := newClusterOf(t, attackedTOML, apiTOML, 1, 1)
	g := c.gateways[0]
	tests := c.dial(c.apis[0])
	phase("the programs run")
	v := newVillage(t, tests, g.address)
	phase("the village is there")
	v.settle(t)
	before := look(t, g)

	phase("the village talks")
	v.slowTalk(t) // for those who take nothing
	played := assault(t, kinds, g.address)
	phase(fmt.Sprintf("%d kinds of bad clients have played %d times", len(kinds), played))

	v.leave(t)
	phase("the talk is over")
	afterwards(t, g, before)
	noForgery(t, g.log.String()+c.apis[0].log.String())
}

// assault plays all kinds at once, and returns how often.
func assault(t *testing.T, kinds []attack, addr string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), attackFor+2*enough)
	defer cancel()
	var played atomic.Int64
	var all sync.WaitGroup
	until := time.Now().Add(attackFor)
	for i, kind := range kinds {
		// An address of its own, so that the bounds of one do not hit another.
		p := &party{addr: addr, source: net.IPv4(127, 0, 1+byte(i/200), 1+byte(i%200))}
		all.Go(func() {
			time.Sleep(rand.N(attackPause)) // not all in step
			for time.Now().Before(until) {
				if err := kind.run(ctx, p); err != nil {
					t.Errorf("%s: %v", kind.name, err)
					return
				}
				played.Add(1)
				time.Sleep(attackPause/2 + rand.N(attackPause))
			}
		})
	}
	all.Wait()
	return int(played.Load())
}

// state is what a gateway holds.
type state struct {
	sessions, goroutines, heap, resident float64
}

// look reads the gateway's own metrics, after a garbage collection.
func look(t *testing.T, g *gatewayProcess) state {
	t.Helper()
	body(t, "http://"+g.governor+"/debug/pprof/heap?gc=1")
	text := body(t, "http://"+g.governor+"/metrics")
	sum := func(name string) float64 { return metric(t, text, name) }
	return state{
		sum("sluice_transport_sessions"), sum("go_goroutines"), sum("go_memstats_heap_alloc_bytes"), sum("process_resident_memory_bytes"),
	}
}

// What may be left when the bad clients are gone: buffers in pools, the counters
// of a minute's addresses, goroutines that the reactor keeps for the next reads.
const (
	heapLeft       = 8 << 20
	goroutinesLeft = 200
)

// afterwards waits until the gateway holds no more than before.
func afterwards(t *testing.T, g *gatewayProcess, before state) {
	t.Helper()
	var now state
	deadline := time.Now().Add(enough)
	for {
		now = look(t, g)
		if now.sessions <= before.sessions && now.goroutines <= before.goroutines+goroutinesLeft && now.heap <= before.heap*1.1+heapLeft {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("the gateway holds %+v, before it held %+v", now, before)
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Logf("before: %.0f sessions, %.0f goroutines, %.1f MB heap, %.1f MB resident; after: %.0f, %.0f, %.1f MB, %.1f MB",
		before.sessions, before.goroutines, before.heap/1e6, before.resident/1e6, now.sessions, now.goroutines, now.heap/1e6, now.resident/1e6)
}

// noForgery looks for bytes of clients in a log, and for lines of theirs.
func noForgery(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, forgedLine) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			t.Errorf("the log has a line of a client's: %q", line)
		}
	}
}

// untilCut says a little again and again until the other side has had enough.
func untilCut(ctx context.Context, conn net.Conn, little string) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return errors.New("not cut in time")
			}
			return nil
		case <-tick.C:
			_, _ = io.WriteString(conn, little) // its end is read
		case <-ctx.Done():
			return fmt.Errorf("not cut in time: %w", ctx.Err())
		}
	}
}

// attackedTOML has limits and times that can be reached in seconds.
const attackedTOML = `
[edge]
header_timeout = "2s"
max_conns_per_address = 250

[transport]
ping_interval = "5s"
backlog_bytes = 262144
ping_timeout = "20s"
post_timeout = "2s"
upgrade_timeout = "2s"
flush_timeout = "2s"
close_timeout = "2s"
max_payload = 100_000
deflate = true
send_buffer = 16_384
origins = ["https://app.example.com"]

[gateway]
namespaces = ["/", "/a", "/b"]
connect_timeout = "2s"
attachment_timeout = "2s"
max_namespaces = 2
max_documents = 8
max_user_sockets = 4
max_stray_acks = 20
drain_window = "1s"

[gateway.address]
max_sessions = 200
new_per_second = 20
burst = 200
unknown_burst = 50

[logger.default]
level = "info"

[auth]
default_type = "web"

[[auth.type]]
name = "web"
algorithms = ["HS256"]
secret = "` + jwtSecret + `"

[[auth.type]]
name = "strict"
algorithms = ["HS256"]
secret = "` + jwtSecret + `"
issuer = "https://login.example.com"
audience = ["sluice"]
`
