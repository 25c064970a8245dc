package bench

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Scenario is what happens to a target. Its sizes are those that are meant; a
// run on a smaller machine is scaled, and says so.
type Scenario struct {
	name   string
	beside string // what is other than in the scenario that it is run beside

	Title    string          `toml:"title"`
	About    string          `toml:"about"`
	Clients  ClientsSection  `toml:"clients"`
	Light    LightSection    `toml:"light"`
	Load     LoadSection     `toml:"load"`
	Push     PushSection     `toml:"push"`
	Upstream UpstreamSection `toml:"upstream"`
	Churn    ChurnSection    `toml:"churn"`
	Cut      CutSection      `toml:"cut"`
	Slow     SlowSection     `toml:"slow"`
}

// ClientsSection says who connects.
type ClientsSection struct {
	// Sockets is how many clients there are.
	Sockets int `toml:"sockets"`
	// ConnectRate is in all per second; 0 is as fast as Connecting allows.
	ConnectRate float64 `toml:"connect_rate"`
	// First is the share of the clients that come before the others. The memory
	// of each one more is then told without what the server needs once. 0 lets
	// all come together.
	First float64 `toml:"first"`
	// Connecting is how many of a worker are on their way at the same time.
	Connecting int `toml:"connecting"`
	// Documents is how many there are; each client is in one. 0 for none.
	Documents int `toml:"documents"`
	// HotShare of the clients is in the first document, the others are spread
	// over the rest. 0 spreads all of them evenly.
	HotShare float64 `toml:"hot_share"`
}

// LightSection is the load at a lower rate, before the load itself: the latency
// of a server that has next to nothing to do.
type LightSection struct {
	// Duration of it. 0 leaves it out.
	Duration time.Duration `toml:"duration"`
	// PushEvery and UpstreamEvery take the places of push.every and upstream.every.
	PushEvery time.Duration `toml:"push_every"`
	// UpstreamEvery as PushEvery; 0 does nothing, as there.
	UpstreamEvery time.Duration `toml:"upstream_every"`
}

// LoadSection says for how long.
type LoadSection struct {
	// Idle is the rest between connecting and load, in which memory is read. With
	// 0 memory is read at once, and not when it has settled.
	Idle time.Duration `toml:"idle"`
	// Duration of the load. 0 ends after the rest.
	Duration time.Duration `toml:"duration"`
	// Settle is how long after the load what is missing may still come.
	Settle time.Duration `toml:"settle"`
	// OnTheWay is how old a message must be when a client leaves to be lost if
	// it has not come.
	OnTheWay time.Duration `toml:"on_the_way"`
}

// PushSection is messages down.
type PushSection struct {
	// Every is the time from one to the next. 0 pushes nothing.
	Every time.Duration `toml:"every"`
	// Burst is how many are pushed each time, one after the other.
	Burst int `toml:"burst"`
	// Pushers push at the same time, a burst each. The documents or sockets are
	// divided among them, so that what goes to one of them stays in order.
	Pushers int `toml:"pushers"`
	// Window bounds how many messages to all may be on their way: the next waits
	// until one less than so many are. With a short Every that is as fast as
	// server and clients can. 0 does not wait.
	Window int `toml:"window"`
	// To is "all", "hot" (the first document), "each" (the documents in turn),
	// "random" (any of them) or "socket" (any client).
	To string `toml:"to"`
	// Payload is "article" or "filling".
	Payload string `toml:"payload"`
	// Bytes of the filling.
	Bytes int `toml:"bytes"`
	// Receipts makes each client answer each message with an event.
	Receipts bool `toml:"receipts"`
	// Ephemeral messages may be dropped: what is missing is no loss then.
	Ephemeral bool `toml:"ephemeral"`
}

// UpstreamSection is events up.
type UpstreamSection struct {
	// Every is the time from one event of a client to its next. 0 sends nothing.
	Every time.Duration `toml:"every"`
	// Bytes of filling in each.
	Bytes int `toml:"bytes"`
	// Ack waits for the answer, and measures the way there and back.
	Ack bool `toml:"ack"`
	// Gateway sends what Sluice's gateway answers by itself, so that the answer's
	// time is that of the gateway alone. It needs Ack. Stock servers echo.
	Gateway bool `toml:"gateway"`
}

// ChurnSection is clients leaving and coming.
type ChurnSection struct {
	// PerSecond is the share of the clients that leave each second; they come back.
	PerSecond float64 `toml:"per_second"`
}

// CutSection is connections that break all at once.
type CutSection struct {
	// After the begin of the load.
	After time.Duration `toml:"after"`
	// Share of the clients. 0 cuts nothing.
	Share float64 `toml:"share"`
}

// SlowSection is clients that do not read.
type SlowSection struct {
	// Share of the clients. Nothing is expected of them.
	Share float64 `toml:"share"`
	// Beside runs the others alone, too, before: what they notice is the difference.
	Beside bool `toml:"beside"`
}

func defaultScenario() Scenario {
	return Scenario{
		Clients: ClientsSection{Sockets: 1000, Connecting: 256},
		Load:    LoadSection{Idle: 5 * time.Second, Duration: 30 * time.Second, Settle: 10 * time.Second, OnTheWay: 2 * time.Second},
		Push:    PushSection{Burst: 1, Pushers: 1, To: "all", Payload: "filling", Bytes: 100},
	}
}

//go:embed scenarios
var shipped embed.FS

// Shipped lists the scenarios that come with the program.
func Shipped() []string {
	files, err := fs.Glob(shipped, "scenarios/*.toml")
	if err != nil {
		return nil // the pattern is fine
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".toml"))
	}
	slices.Sort(names)
	return names
}

// LoadScenario reads a shipped scenario by its name, or a file by its path. The
// error names everything that is wrong with it at once.
func LoadScenario(name string) (Scenario, error) {
	s := defaultScenario()
	text, err := scenarioText(name)
	if err != nil {
		return s, err
	}
	s.name = strings.TrimSuffix(path.Base(name), ".toml")
	if err := decode(text, &s); err != nil {
		return s, problem(name, err)
	}
	return s, problem(name, s.check())
}

// scenarioText is the file of a scenario.
func scenarioText(name string) ([]byte, error) {
	if slices.Contains(Shipped(), name) {
		return shipped.ReadFile("scenarios/" + name + ".toml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no scenario and no file %q; shipped are: %s", name, strings.Join(Shipped(), ", "))
	}
	return text, err
}

// check returns everything that does not fit.
func (s *Scenario) check() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	share := func(key string, v float64) { want(v >= 0 && v <= 1, "%s: must be from 0 to 1", key) }
	c, p, u := &s.Clients, &s.Push, &s.Upstream
	want(c.Sockets > 0 && c.Sockets <= socketsAtMost, "clients.sockets: must be from 1 to %s", commas(socketsAtMost))
	want(c.ConnectRate >= 0 && c.ConnectRate <= ratesAtMost, "clients.connect_rate: must be from 0 to %s", commas(ratesAtMost))
	want(c.Connecting > 0, "clients.connecting: must be above 0")
	want(c.Documents >= 0 && c.Documents <= documentsAtMost, "clients.documents: must be from 0 to %s", commas(documentsAtMost))
	share("clients.first", c.First)
	share("clients.hot_share", c.HotShare)
	want(c.HotShare == 0 || c.Documents > 1, "clients.hot_share: needs clients.documents above 1, for the others")
	want(s.Load.Idle >= 0 && s.Load.Duration >= 0, "load: times must not be negative")
	want(s.Load.Settle > 0, "load.settle: must be above 0")
	want(s.Load.OnTheWay > 0, "load.on_the_way: must be above 0")
	want(p.Every >= 0, "push.every: must not be negative")
	want(p.Burst > 0, "push.burst: must be above 0")
	want(s.Light.Duration >= 0 && s.Light.PushEvery >= 0 && s.Light.UpstreamEvery >= 0, "light: times must not be negative")
	want(s.Light.Duration == 0 || s.Load.Duration > 0, "light.duration: needs load.duration")
	want(slices.Contains([]string{toAll, toHot, toEach, toRandom, toSocket}, p.To), "push.to: must be all, hot, each, random or socket")
	want(p.To == toAll || p.To == toSocket || c.Documents > 0, "push.to: %s needs clients.documents", p.To)
	want(p.To != toSocket || s.Churn.PerSecond == 0 && s.Cut.Share == 0, "push.to: socket needs clients that stay: no churn, no cut")
	want(p.Pushers > 0, "push.pushers: must be above 0")
	want(p.Pushers <= 1 || p.To != toAll && p.To != toHot && p.Pushers <= s.streams(), "push.pushers: must be 1, or divide documents or sockets among them")
	want(p.Window >= 0, "push.window: must not be negative")
	want(p.Window == 0 || p.To == toAll, "push.window: needs push.to all")
	want(slices.Contains([]string{"article", "filling"}, p.Payload), "push.payload: must be article or filling")
	want(p.Bytes >= 0 && p.Bytes <= maxFilling, "push.bytes: must be from 0 to %d", maxFilling)
	want(u.Every >= 0, "upstream.every: must not be negative")
	want(u.Bytes >= 0 && u.Bytes <= maxFilling, "upstream.bytes: must be from 0 to %d", maxFilling)
	want(!u.Gateway || u.Ack, "upstream.gateway: needs upstream.ack")
	share("churn.per_second", s.Churn.PerSecond)
	share("cut.share", s.Cut.Share)
	want(s.Cut.After >= 0, "cut.after: must not be negative")
	want(s.Cut.Share == 0 || s.Cut.After < s.Load.Duration, "cut.after: must be before the end of load.duration")
	share("slow.share", s.Slow.Share)
	want(s.Slow.Share < 1, "slow.share: must leave somebody who reads")
	return errors.Join(errs...)
}

// What no machine could run, and the tool would take gigabytes to find out.
const (
	socketsAtMost   = 10_000_000
	documentsAtMost = 1_000_000
	ratesAtMost     = 1_000_000_000
)

// maxFilling keeps messages below what servers take by default.
const maxFilling = 500_000

// Whom messages are pushed to.
const (
	toAll    = "all"
	toHot    = "hot"
	toEach   = "each"
	toRandom = "random"
	toSocket = "socket"
)

// streams is how many numberings of messages there are: one for all, or one for
// each document or client.
func (s *Scenario) streams() int {
	switch s.Push.To {
	case toAll:
		return 1
	case toSocket:
		return s.Clients.Sockets
	}
	return s.Clients.Documents
}

// document is the one that a client is in.
func (c *ClientsSection) document(client uint32) uint32 {
	if c.Documents <= 1 {
		return 0
	}
	if c.HotShare == 0 {
		return client % uint32(c.Documents)
	}
	// Every thousand clients has its share, so that every worker has it.
	if client%1000 < uint32(c.HotShare*1000+0.5) {
		return 0
	}
	return 1 + client%uint32(c.Documents-1)
}
