package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// Server is the sluice.v1 service. Register it with a gRPC server that was made with
// its interceptors and ServerOptions: without the interceptors every call fails.
type Server struct {
	sluicev1.UnimplementedSluiceServer

	cfg  Config
	deps Deps
	log  *elog.Component
	m    *Metrics
	now  func() time.Time
	seed [8]byte // this process's half of the trace ids made here

	components atomic.Pointer[components]
	outage     atomic.Int64 // Unix ns of the latest line about calls that fail

	closing chan struct{} // closed when Run is told to end

	mu      sync.Mutex         // taken inside an uplink's mu, never around it
	ended   bool               // guarded by mu: nothing is started any more
	uplinks map[string]*uplink // guarded by mu: by component
	wg      sync.WaitGroup     // what start started; added to under mu
}

// New returns the service. It does no I/O. The error is Config.Validate's.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cs, err := compile(cfg.Components)
	if err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	s := &Server{
		cfg: cfg, deps: deps, log: deps.Log, m: deps.Metrics, now: deps.Now,
		closing: make(chan struct{}), uplinks: map[string]*uplink{},
	}
	if _, err := rand.Read(s.seed[:]); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	s.components.Store(cs)
	return s, nil
}

// SetComponents replaces all [[component]] entries at once, or none when one of them
// is wrong. Calls under way go on as they were admitted; quotas that did not change
// keep their fill; the subscriptions of components that are gone end.
func (s *Server) SetComponents(entries []ComponentConfig) error {
	cs, err := compile(entries)
	if err != nil {
		return err
	}
	old := s.components.Load()
	for name, c := range cs.byName {
		if was := old.byName[name]; was != nil && was.quota.settings == c.quota.settings {
			c.quota = was.quota
		}
	}
	s.components.Store(cs)
	for _, u := range s.allUplinks() {
		if c := cs.byName[u.name]; c == nil || !c.mayCall("Subscribe") {
			u.dismiss()
		}
	}
	return nil
}

// Run serves subscriptions and returns when everything that was started has ended:
// after the end of ctx, subscriptions get no more events, their acks are waited for
// up to DrainTimeout, and streams end with UNAVAILABLE, so that their clients go
// elsewhere. Other calls are the gRPC server's to finish; stop it after Run.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	close(s.closing)
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	bounded, cancel := context.WithTimeout(context.Background(), s.cfg.Subscribe.DrainTimeout)
	defer cancel()
	var drains sync.WaitGroup
	for _, u := range s.allUplinks() {
		drains.Go(func() { u.drain(bounded) })
	}
	drains.Wait()
	s.wg.Wait()
	return nil
}

// start runs f on a goroutine that Run waits for; false when the server is closing.
func (s *Server) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.wg.Go(f)
	return true
}

// uplink returns the component's uplink; there are as many as components that ever
// subscribed.
func (s *Server) uplink(name string) *uplink {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uplinks[name]
	if u == nil {
		u = newUplink(s, name)
		s.uplinks[name] = u
	}
	return u
}

func (s *Server) allUplinks() []*uplink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.uplinks))
}

// ServerOptions returns the limits that the gRPC server must have. The interceptors
// are not among them: chain UnaryInterceptor and StreamInterceptor first.
func (c *ServerConfig) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(c.MaxMessage),
		grpc.MaxSendMsgSize(c.MaxMessage),
		grpc.MaxHeaderListSize(uint32(c.MaxHeader)),
		grpc.MaxConcurrentStreams(uint32(c.MaxStreams)),
		grpc.ConnectionTimeout(c.ConnectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.PingInterval, Timeout: c.PingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.MinPing, PermitWithoutStream: true}),
	}
}
