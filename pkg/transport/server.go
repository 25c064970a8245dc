package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/engineio"
	"sluice/pkg/reason"
)

// Hooks is what the layer above decides. NewID and Open are required.
type Hooks struct {
	// NewID gives the number of a new session. It is the first part of the sid.
	NewID func() (uint64, error)
	// Admit is asked before anything is allocated for a new session; nil means
	// welcome.
	Admit func(r *http.Request) *Refusal
	// Open is told of a new session. It must not keep r. What it sends is
	// queued behind the open packet. Nil refuses the session.
	Open func(s *Session, r *http.Request) Receiver
	// Follow is asked about each later request of a session (poll, post,
	// upgrade), for instance whether it comes from whom the session belongs to.
	// A refusal leaves the session untouched.
	Follow func(s *Session, r *http.Request) *Refusal
	// Foreign is asked about a well-formed sid whose session is not here. True
	// means that it served the request, for instance by forwarding it; false
	// that the sid is unknown.
	Foreign func(w http.ResponseWriter, r *http.Request, id uint64) bool
	// Unknown is asked about a sid that is malformed, or whose session is nowhere.
	// A refusal takes the place of the error, for who asks too often.
	Unknown func(r *http.Request) *Refusal
}

// Refusal is why a request was not let in. Its zero value is 403, code 4,
// "Forbidden".
type Refusal struct {
	Status     int           // HTTP status, 0 = 403 (a WebSocket upgrade always gets 400)
	Code       int           // Engine.IO error code, 0 = 4
	Message    string        // for the client, "" = the code's own text
	RetryAfter time.Duration // sent as Retry-After when positive, rounded up to seconds
	Reason     Reason        // label of the handshakes metric, "" = forbidden
}

// Refuse makes the refusal that the table of reasons has for why.
func Refuse(why Reason) *Refusal {
	e, _ := reason.Of(why)
	return &Refusal{Status: e.Status, Code: e.EngineIO, RetryAfter: e.After, Reason: why}
}

// Receiver takes what a session receives. Calls for one session never overlap
// and come in the order of the wire.
type Receiver interface {
	// Message is one message. data is valid only during the call.
	Message(data []byte, binary bool)
	// Closed is called exactly once, as the last call. It may come from any
	// goroutine, but never from inside Send or Close.
	Closed(reason Reason)
}

// Server keeps Engine.IO sessions alive over WebSocket and HTTP long polling.
type Server struct {
	cfg     Config
	hooks   Hooks
	metrics *Metrics
	log     *elog.Component

	rules       engineio.Rules
	policy      engineio.Policy
	origins     origins
	guardLimits guardLimits
	cookie      string // what follows the sid in Set-Cookie
	path        string // without a slash at its end
	start       time.Time
	shards      []shard
	reactor     *reactor   // nil: a goroutine reads each connection
	rings       chan *ring // those that are free; nil: a system call for each write

	open    atomic.Int64
	running sync.WaitGroup // sessions not yet told that they are closed, and goroutines
}

// NewServer builds a Server. cfg must have been validated.
func NewServer(cfg Config, hooks Hooks, m *Metrics, log *elog.Component) *Server {
	v := &Server{cfg: cfg, hooks: hooks, metrics: m, log: log,
		policy:  policyOf(&cfg),
		origins: newOrigins(&cfg),
		rules:   engineio.Rules{Upgrades: cfg.AllowUpgrades, V3: cfg.AllowEIO3},
		guardLimits: guardLimits{
			fragments: uint16(cfg.MaxFragments),
			controls:  uint8(cfg.MaxControls),
		},
		cookie: cfg.Cookie.attributes(),
		path:   strings.TrimSuffix(cfg.Path, "/"),
		start:  time.Now(),
		shards: make([]shard, shardCount()),
	}
	for _, t := range cfg.Transports {
		v.rules.Polling = v.rules.Polling || t == "polling"
		v.rules.WebSocket = v.rules.WebSocket || t == "websocket"
	}
	if cfg.Reader != readerGoroutine {
		v.reactor = v.openReactor()
	}
	if cfg.Writer != writerCalls {
		v.rings = v.openRings()
	}
	for i := range v.shards {
		v.shards[i].sessions = make(map[uint64]*Session)
	}
	return v
}

// openReactor is nil where there is none, or none is to be had.
func (v *Server) openReactor() *reactor {
	r, err := newReactor()
	if err == nil {
		return r
	}
	if !errors.Is(err, errors.ErrUnsupported) || v.cfg.Reader == readerReactor {
		v.log.Warn("no reactor: a goroutine reads each connection", elog.FieldErr(err))
	}
	return nil
}

// detach hands a connection to the reactor. It is nil without one; then the
// connection is as it was.
func (v *Server) detach(l *link, c *net.TCPConn, closed func()) *polled {
	if v.reactor == nil {
		return nil
	}
	own, err := v.reactor.detach(l, c, closed)
	if err != nil {
		v.log.Warn("connection stays out of the reactor", elog.FieldErr(err))
		return nil
	}
	return own
}

func policyOf(cfg *Config) engineio.Policy {
	grow := cfg.HeartbeatGrowAfter
	if cfg.PingInterval <= cfg.HeartbeatStart {
		grow = 0 // there is nothing to grow to
	}
	return engineio.Policy{
		Interval:  cfg.PingInterval.Milliseconds(),
		Timeout:   cfg.PingTimeout.Milliseconds(),
		Start:     cfg.HeartbeatStart.Milliseconds(),
		Step:      cfg.HeartbeatStep.Milliseconds(),
		Retry:     cfg.HeartbeatRetry.Milliseconds(),
		Missed:    min(cfg.HeartbeatMissed, cfg.PingTimeout/2).Milliseconds(),
		Slack:     min(4*wheelTick, cfg.PingTimeout.Milliseconds()/2), // the wheel's own, and a busy machine's
		GrowAfter: uint8(grow),
	}
}

// now is the time since the server was built, in milliseconds: a clock that is
// never set back.
func (v *Server) now() int64 { return time.Since(v.start).Milliseconds() }

// Len is the number of open sessions.
func (v *Server) Len() int { return int(v.open.Load()) }

// Each calls f for each open session until it returns false. Sessions that come
// or go meanwhile may or may not be seen. No lock is held during f.
func (v *Server) Each(f func(*Session) bool) {
	var all []*Session
	for i := range v.shards {
		all = v.shards[i].snapshot(all[:0])
		for _, s := range all {
			if s.isOpen() && !f(s) {
				return
			}
		}
	}
}

// closed counts a session out.
func (v *Server) closed(c engineio.Carrier, e engineio.Version, reason Reason) {
	v.metrics.closes.WithLabelValues(string(reason)).Inc()
	v.metrics.session(c, e, -1)
	v.open.Add(-1)
}

var errStillRunning = errors.New("transport: sessions did not end in time")

// Run keeps the clocks of all sessions: heartbeats and timeouts. When ctx ends
// it refuses new sessions, closes every session with ReasonServer, and returns
// when all that it started has ended. That takes at most the close timeout and
// a little; if a Receiver keeps a session longer, Run answers with an error.
func (v *Server) Run(ctx context.Context) error {
	stop := make(chan struct{})
	var clocks sync.WaitGroup
	for i := range v.shards {
		clocks.Go(func() { v.clock(&v.shards[i], stop) })
	}
	if v.reactor != nil {
		v.reactor.run()
		defer v.reactor.close()
	}
	defer closeRings(v.rings)
	<-ctx.Done()
	v.closeAll()
	ended := make(chan struct{})
	go func() {
		v.running.Wait()
		close(ended)
	}()
	var err error
	limit := time.NewTimer(2*v.cfg.CloseTimeout + time.Second)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
		err = errStillRunning
	}
	close(stop)
	clocks.Wait()
	return err
}

// clock turns the wheel of one shard.
func (v *Server) clock(h *shard, stop <-chan struct{}) {
	t := time.NewTicker(wheelTick * time.Millisecond)
	defer t.Stop()
	var woken []*Session
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			woken = h.turn(v.now(), woken)
		}
	}
}

// closeAll refuses what is new and closes what is there.
func (v *Server) closeAll() {
	for i := range v.shards {
		v.shards[i].mu.Lock()
		v.shards[i].shut = true
		v.shards[i].mu.Unlock()
	}
	var all []*Session
	for i := range v.shards {
		all = v.shards[i].snapshot(all[:0])
		for _, s := range all {
			s.Close(ReasonServer)
			v.remove(s, false)
		}
	}
}
