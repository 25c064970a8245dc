package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Services are running services and where they are reached, on loopback.
type Services struct {
	Kafka  []string // host:port of the brokers
	Redis  string   // host:port
	Driver string   // of the SQL database
	DSN    string

	cluster *kfake.Cluster
	redis   *miniredis.Miniredis
	dir     string // to be removed; "" keeps the data
	stop    chan struct{}
	clocks  sync.WaitGroup
}

// Options of Start.
type Options struct {
	// Dir keeps Kafka's records and the SQL database over restarts. Empty uses
	// a folder that Close removes. Redis forgets in any case.
	Dir string
	// Partitions of topics that are made without saying how many. Default 4.
	Partitions int
}

// retention of Kafka's records, which nobody else would delete.
const retention = 24 * time.Hour

// Start starts the services. They listen on free ports of 127.0.0.1 only.
func Start(o Options) (*Services, error) {
	s := &Services{Driver: "sqlite", stop: make(chan struct{})}
	dir := o.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "sluice-"); err != nil {
			return nil, fmt.Errorf("embedded services: %w", err)
		}
		s.dir = dir
	}
	if err := s.start(dir, max(o.Partitions, 1)); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded services: %w", err), s.Close())
	}
	return s, nil
}

func (s *Services) start(dir string, partitions int) error {
	if err := os.MkdirAll(filepath.Join(dir, "kafka"), 0o755); err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.DataDir(filepath.Join(dir, "kafka")), kfake.DefaultNumPartitions(partitions),
		kfake.ListenFn(listenLoopback), kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": fmt.Sprint(retention.Milliseconds())}),
	)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	s.cluster, s.Kafka = cluster, cluster.ListenAddrs()

	s.redis = miniredis.NewMiniRedis()
	if err := s.redis.StartAddr("127.0.0.1:0"); err != nil {
		s.redis = nil
		return fmt.Errorf("redis: %w", err)
	}
	s.Redis = s.redis.Addr()
	s.DSN = filepath.Join(dir, "sluice.db")
	s.clocks.Go(s.keepTime)
	return nil
}

// listenLoopback keeps the broker off every other interface.
func listenLoopback(network, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return net.Listen(network, net.JoinHostPort("127.0.0.1", port))
}

// keepTime does what the real services do by themselves: keys expire, and old
// records go.
func (s *Services) keepTime() {
	const step = 100 * time.Millisecond
	keys := time.NewTicker(step)
	defer keys.Stop()
	records := time.NewTicker(time.Minute)
	defer records.Stop()
	last, next := time.Now(), time.Now()
	for {
		select {
		case now := <-keys.C:
			if now.Before(next) {
				continue
			}
			s.redis.FastForward(now.Sub(last))
			last = now
			// It walks along all keys: with hundreds of thousands of them less often,
			// so that it takes a fiftieth of the time at most.
			next = now.Add(50 * time.Since(now))
		case <-records.C:
			s.cluster.ApplyRetention()
		case <-s.stop:
			return
		}
	}
}

// Close stops the services.
func (s *Services) Close() error {
	close(s.stop)
	s.clocks.Wait()
	if s.redis != nil {
		s.redis.Close()
	}
	if s.cluster != nil {
		s.cluster.Close()
	}
	if s.dir != "" {
		return os.RemoveAll(s.dir)
	}
	return nil
}
