package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/pkg/devcert"
)

func TestRecordsTravelOverTLSWithEachMechanism(t *testing.T) {
	cert := devcert.Make(t, nil, "kafka", "127.0.0.1")
	caFile, _ := devcert.Files(t, cert, t.TempDir(), "ca")
	server := &tls.Config{Certificates: []tls.Certificate{cert}}
	for mechanism, name := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			c := embedded(t, kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser(name, "sluice", "secret"))
			cfg := testConfig(c.ListenAddrs()[0])
			cfg.TLS = TLS{Enabled: true, CAFile: caFile}
			cfg.SASL = SASL{Mechanism: mechanism, Username: "sluice", Password: "secret"}
			k := open(t, cfg)
			p, _ := produce(t, k)
			publish(t, p, rec(cfg.UpTopic, "k", 0))
			j := newJournal()
			consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
			j.untilMids(t, 1)
		})
	}
}

func TestWrongPasswordIsNotLetIn(t *testing.T) {
	c := embedded(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "sluice", "secret"))
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.SASL = SASL{Mechanism: "scram-sha-256", Username: "sluice", Password: "guess"}
	cfg.Producer.MaxAge, cfg.Producer.WriteTimeout = time.Second, 500*time.Millisecond
	k := openWithoutTopics(t, cfg)
	p, _ := produce(t, k)
	if err := p.Publish(context.Background(), rec(cfg.UpTopic, "k", 0)); err == nil {
		t.Error("it was written")
	}
}

func TestKafkasOfTheSameBrokersMustAgree(t *testing.T) {
	cfg := testConfig("127.0.0.1:1")
	openWithoutTopics(t, cfg)
	openWithoutTopics(t, cfg) // the same again
	other := cfg
	other.SASL = SASL{Mechanism: "plain", Username: "u", Password: "p"}
	if _, err := Open(other, quiet, NewMetrics(prometheus.NewRegistry())); !errors.Is(err, errSecurity) {
		t.Errorf("opened with other credentials: %v", err)
	}
}

func TestTransportIsGoneAfterTheLastClose(t *testing.T) {
	cfg := testConfig("127.0.0.1:1")
	held := func() int {
		transports.mu.RLock()
		defer transports.mu.RUnlock()
		return len(transports.byAddr)
	}
	before := held()
	m := NewMetrics(prometheus.NewRegistry())
	a, err := Open(cfg, quiet, m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(cfg, quiet, m)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Close()
	if held() != before+1 {
		t.Error("the first Close took it from the second")
	}
	_ = b.Close()
	if held() != before {
		t.Error("it is still there")
	}
}
