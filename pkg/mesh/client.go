package mesh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"

	"sluice/pkg/id"
)

// Client calls the processes of a Directory. It may be used from any number of
// goroutines, also before Run. Run or Close must end it.
type Client struct {
	cfg  Config
	dir  Directory
	log  *elog.Component
	m    *Metrics
	dial func() ([]grpc.DialOption, error) // once: reads the certificate files

	closing context.Context // ended by Close
	cancel  context.CancelFunc

	mu     sync.RWMutex // guards all below
	closed bool         // orders wg.Go before wg.Wait
	links  map[string]*link
	queues map[id.Replica]*queue
	wg     sync.WaitGroup
}

// NewClient returns a client; it connects when it is used.
func NewClient(cfg Config, dir Directory, log *elog.Component, m *Metrics) *Client {
	c := &Client{
		cfg: cfg, dir: dir, log: log, m: m,
		links:  make(map[string]*link),
		queues: make(map[id.Replica]*queue),
	}
	c.dial = sync.OnceValues(c.cfg.dialOptions)
	c.closing, c.cancel = context.WithCancel(context.Background())
	return c
}

// Run closes what is idle until ctx ends, then closes the client. It returns
// at once with an error when the certificate files cannot be used.
func (c *Client) Run(ctx context.Context) error {
	defer c.Close()
	if _, err := c.dial(); err != nil {
		return err
	}
	tick := time.NewTicker(min(max(c.cfg.IdleAfter/4, 10*time.Millisecond), time.Minute))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.sweep(time.Now())
		case <-ctx.Done():
			return nil
		}
	}
}

// Close ends all calls and tunnels, drops what is queued and returns when every
// goroutine of the client has ended.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	links, queues := c.links, c.queues
	c.links, c.queues = map[string]*link{}, map[id.Replica]*queue{}
	c.mu.Unlock()
	c.cancel()
	for _, q := range queues {
		q.retire(fateClosed, ErrClosed)
	}
	for _, l := range links {
		c.hangUp(l)
	}
	c.wg.Wait()
}

// sweep closes connections that are not used, and forgets queues to boots that
// are gone.
func (c *Client) sweep(now time.Time) {
	var idle []*link
	c.mu.Lock()
	queues := slices.Collect(maps.Values(c.queues))
	for address, l := range c.links {
		if l.users == 0 && now.Sub(l.since) >= c.cfg.IdleAfter {
			delete(c.links, address)
			idle = append(idle, l)
		}
	}
	c.mu.Unlock()
	for _, l := range idle {
		c.hangUp(l)
	}
	for _, q := range queues {
		if !c.lives(q.to) {
			q.retire(fateStale, errRetired)
			c.forget(q)
		}
	}
}

// lives tells whether m is still the boot that has its number.
func (c *Client) lives(m Member) bool {
	now, ok := c.dir.Lookup(m.Replica)
	return ok && now.Boot == m.Boot
}

// lookup returns the process that has the number to now, also one that has only
// just started.
func (c *Client) lookup(ctx context.Context, to id.Replica) (Member, error) {
	m, ok := c.dir.Find(ctx, to)
	if !ok {
		return Member{}, fmt.Errorf("replica %d: %w", to, ErrUnknown)
	}
	return m, nil
}

// link is the connection to one address.
type link struct {
	cc    *grpc.ClientConn
	users int       // guarded by Client.mu
	since time.Time // of users == 0; guarded by Client.mu
}

// take returns the connection to an address; it must be given back. It does
// not wait for the connection to be there.
func (c *Client) take(address string) (*link, error) {
	opts, err := c.dial()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	l := c.links[address]
	if l == nil {
		// passthrough: the dialer resolves names, at every attempt.
		cc, err := grpc.NewClient("passthrough:///"+address, opts...)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		l = &link{cc: cc}
		c.links[address] = l
		c.m.connections.Inc()
	}
	l.users++
	return l, nil
}

func (c *Client) give(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.users--; l.users == 0 {
		l.since = time.Now()
	}
}

func (c *Client) hangUp(l *link) {
	_ = l.cc.Close() // only says that it is closed already
	c.m.connections.Dec()
}

// bound returns a context that ends with ctx and with the client.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(c.closing, cancel)
	return ctx, func() { unhook(); cancel() }
}
