package bus

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	producing "github.com/segmentio/kafka-go/protocol/produce"
)

// ekafka's producers and clients have no setting for TLS or SASL and always use
// kafka.DefaultTransport. So that becomes a switch that picks a transport of ours by
// the bootstrap address, and leaves all other addresses to what was there before.
var (
	transports       = &transportSwitch{byAddr: map[string]*sharedTransport{}}
	installTransport sync.Once
)

const (
	dialTimeout = 3 * time.Second
	// metadataTTL bounds how long a write goes to a broker that no longer leads a
	// partition: the transport does not ask again when a write fails.
	metadataTTL = 2 * time.Second
	clientID    = "sluice"
)

var errSecurity = errors.New("brokers: they are already in use with other topics, tls or sasl settings")

type transportSwitch struct {
	other kafka.RoundTripper // set once, before use

	mu     sync.RWMutex
	byAddr map[string]*sharedTransport // guarded by mu
}

// sharedTransport is used by all Kafkas of a process with the same brokers.
type sharedTransport struct {
	*kafka.Transport
	key  transportKey
	uses int
}

// transportKey is what Kafkas that share a transport must agree on.
type transportKey struct {
	tls    TLS
	sasl   SASL
	topics [4]string
}

// RoundTrip implements kafka.RoundTripper.
func (s *transportSwitch) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	s.mu.RLock()
	t := s.byAddr[addr.String()]
	s.mu.RUnlock()
	if t == nil {
		return s.other.RoundTrip(ctx, addr, req)
	}
	if write, ok := req.(*producing.Request); ok {
		switch ship, err := carried(write); {
		case err != nil:
			return nil, err
		case ship != nil:
			return ship.send(ctx, t.Transport, addr, write)
		}
	}
	return t.Transport.RoundTrip(ctx, addr, req)
}

// acquire makes sure that addr is served according to cfg until it is released.
func (s *transportSwitch) acquire(addr net.Addr, cfg *Config, sec security) error {
	key := transportKey{tls: cfg.TLS, sasl: cfg.SASL, topics: [4]string(cfg.Topics())}
	installTransport.Do(func() {
		s.other = kafka.DefaultTransport
		kafka.DefaultTransport = s
	})

	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.byAddr[addr.String()]; t != nil {
		if t.key != key {
			return errSecurity
		}
		t.uses++
		return nil
	}
	s.byAddr[addr.String()] = &sharedTransport{
		key:  key,
		uses: 1,
		Transport: &kafka.Transport{
			Dial:        (&net.Dialer{Timeout: dialTimeout}).DialContext,
			DialTimeout: dialTimeout,
			MetadataTTL: metadataTTL,
			// Asked for every second or so: in a large cluster the list of all topics
			// would be megabytes.
			MetadataTopics: cfg.Topics(),
			ClientID:       clientID,
			TLS:            sec.tls,
			SASL:           sec.sasl,
		},
	}
	return nil
}

func (s *transportSwitch) release(addr net.Addr) {
	s.mu.Lock()
	t := s.byAddr[addr.String()]
	if t == nil {
		s.mu.Unlock()
		return
	}
	if t.uses--; t.uses > 0 {
		s.mu.Unlock()
		return
	}
	delete(s.byAddr, addr.String())
	s.mu.Unlock()
	t.CloseIdleConnections()
}
