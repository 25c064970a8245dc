package swarm

import (
	"context"
	"runtime"
	"sync"
	"time"

	"sluice/pkg/bench/tally"
)

// loop is clients that one goroutine serves. All of it belongs to that
// goroutine but what mu guards.
type loop struct {
	cfg    *Options
	first  uint32 // number of the first client
	poll   *poller
	prefix []byte // of counted messages

	clients []client
	ids     []string // that the server gave them, if they are kept
	waiting []uint32 // without a connection, and free to begin one
	later   []retry  // the same, after a pause; in the order of time
	inside  int      // connecting
	allowed int      // to be connected or connecting at the same time
	cursor  int      // of the clients that send in turn

	connects, leaves, sends pacer
	upstream                Upstream
	filling                 []byte

	ledgers []tally.Ledger
	ended   []endedSession
	stats   Stats
	faults  []Fault
	kept    map[What]int // of each kind
	now     int64
	swept   int64

	buf []byte // what is being read
	out []byte // what the client at hand is about to write
	// sealed is what crypto/tls made of it.
	sealed []byte
	text   []byte // what is being put together

	running    context.Context // for handshakes
	handshakes sync.WaitGroup

	mu     sync.Mutex // guards orders and gone
	orders []func()
	gone   bool
}

type retry struct {
	at    int64
	index uint32
}

type endedSession struct {
	client *client
	stream uint32
	tally.Session
}

const (
	readBuffer = 64 << 10
	burst      = 64 // of connects between two looks at what can be read
	sendBurst  = 4096
)

func newLoop(cfg *Options, first, count uint32) *loop {
	l := &loop{
		cfg: cfg, first: first, clients: make([]client, count), waiting: make([]uint32, count),
		ledgers: make([]tally.Ledger, max(cfg.Streams, 1)), buf: make([]byte, readBuffer),
		prefix: []byte(`["` + cfg.Event + `","`),
	}
	if cfg.KeepIDs {
		l.ids = make([]string, count)
	}
	for i := range l.clients {
		c := &l.clients[i]
		c.index, c.fd, c.slow = uint32(i), -1, uint32(i) < cfg.Slow
		if cfg.Stream != nil {
			c.stream = cfg.Stream(first + c.index)
		}
		l.waiting[i] = uint32(i)
	}
	return l
}

// post hands the loop's goroutine something to do; false means that the loop
// has ended.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return false
	}
	l.orders = append(l.orders, f)
	if l.poll != nil {
		l.poll.wake()
	}
	return true
}

func (l *loop) run(ctx context.Context) error {
	runtime.LockOSThread() // it waits in the kernel most of the time
	defer runtime.UnlockOSThread()
	poll, err := newPoller()
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.poll, l.running = poll, ctx
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { l.post(func() {}) })
	defer stop()
	defer l.leaveAll()
	for ctx.Err() == nil {
		if err := poll.wait(l.pause(), l.ready); err != nil {
			return err
		}
		l.now = Now()
		l.work()
		l.pace()
	}
	return nil
}

// leaveAll ends everything.
func (l *loop) leaveAll() {
	l.handshakes.Wait() // ctx has ended: they are short
	l.work()            // those that came out are clients, to be closed with the others
	l.mu.Lock()
	l.gone, l.orders = true, nil // nobody wakes the poller any more
	l.mu.Unlock()
	for i := range l.clients {
		if c := &l.clients[i]; c.fd >= 0 {
			hangUp(int(c.fd), true) // no port waits for the next run
			c.fd = -1
		}
	}
	l.poll.close()
}

// pause is how long the loop may sleep: a tick when something is paced.
func (l *loop) pause() time.Duration {
	if l.leaves.on || l.sends.on || l.connects.on && l.stats.Up < l.allowed && (len(l.waiting) > 0 || len(l.later) > 0) {
		return 2 * time.Millisecond
	}
	return 200 * time.Millisecond
}

// work does what was ordered.
func (l *loop) work() {
	l.mu.Lock()
	orders := l.orders
	l.orders = nil
	l.mu.Unlock()
	for _, f := range orders {
		f()
	}
}

// pace does what is due by the clock.
func (l *loop) pace() {
	for len(l.later) > 0 && l.later[0].at <= l.now {
		l.waiting = append(l.waiting, l.later[0].index)
		l.later = l.later[1:]
	}
	n := min(l.connects.due(l.now), burst, len(l.waiting), l.cfg.AtOnce-l.inside, l.allowed-l.inside-l.stats.Up)
	for range max(n, 0) {
		index := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.dial(&l.clients[index])
	}
	l.connects.did(max(n, 0))
	if n := l.leaves.due(l.now); l.leaves.rate > 0 && n > 0 {
		for range n {
			l.leaveOne()
		}
		l.leaves.did(n)
	}
	if n := min(l.sends.due(l.now), sendBurst); l.sends.rate > 0 && n > 0 {
		for i := 0; i < n && l.sendOne(); i++ {
			continue
		}
		l.sends.did(n)
	}
	if l.now-l.swept > int64(time.Second) {
		l.sweep()
	}
}
