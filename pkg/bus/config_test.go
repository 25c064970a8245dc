package bus

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	c := DefaultConfig()
	c.Brokers = []string{"kafka:9092"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	c := DefaultConfig()
	c.Brokers = []string{"kafka"}
	c.UpTopic, c.DownTopic = "a b", "a b"
	c.Partitions, c.Replication = 0, -1
	c.TLS.CertFile = "x"
	c.SASL = SASL{Mechanism: "plain"}
	c.Producer = ProducerConfig{MaxAge: time.Second, WriteTimeout: 2 * time.Second, MaxRecordBytes: 5000, MaxBytes: 10}
	c.Consumer = ConsumerConfig{RetryFor: 5 * time.Second, Handover: time.Minute, Heartbeat: time.Second, SessionTimeout: time.Second}
	err := c.Validate()
	if err == nil {
		t.Fatal("it is valid")
	}
	told := map[string]bool{}
	for line := range strings.Lines(err.Error()) {
		key, _, _ := strings.Cut(line, ":")
		told[key] = true
	}
	for _, key := range strings.Fields(`brokers up_topic down_topic partitions replication tls.cert_file tls.enabled
		sasl.username sasl.password producer.lanes producer.max_records producer.max_bytes producer.batch_records
		producer.max_age producer.linger consumer.max_in_flight consumer.max_in_flight_bytes consumer.max_in_flight_partition
		consumer.max_attempts consumer.retry_for consumer.retry_backoff consumer.ack_timeout consumer.commit_interval
		consumer.heartbeat consumer.handover consumer.max_wait consumer.rebalance_timeout`) {
		if !told[key] {
			t.Errorf("%s is not mentioned", key)
		}
	}
}

func TestTopicsHaveLegalNames(t *testing.T) {
	for name, legal := range map[string]bool{
		"ws.up": true, "A_b-9.": true, "": false, ".": false, "..": false, "a/b": false, "ü": false, strings.Repeat("x", 201): false,
	} {
		if legalTopic(name) != legal {
			t.Errorf("%q is taken for %v", name, !legal)
		}
	}
}

func TestOpenRefusesWhatIsNotValid(t *testing.T) {
	if _, err := Open(DefaultConfig(), quiet, nil); err == nil || !strings.Contains(err.Error(), "brokers") {
		t.Error(err)
	}
	c := DefaultConfig()
	c.Brokers = []string{"127.0.0.1:1"}
	c.TLS = TLS{Enabled: true, CAFile: "does not exist"}
	if _, err := Open(c, quiet, nil); err == nil || !strings.Contains(err.Error(), "tls.ca_file") {
		t.Error(err)
	}
}
