package bus

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Validate returns everything that is wrong, joined; each problem begins with its key.
func (c *Config) Validate() error {
	var p problems
	p.check(len(c.Brokers) > 0, "brokers", "must name at least one broker")
	for _, b := range c.Brokers {
		host, port, err := net.SplitHostPort(b)
		p.check(err == nil && host != "" && port != "", "brokers", "%q is not host:port", b)
	}
	c.validateTopics(&p)
	c.validateSecurity(&p)
	c.Producer.validate(&p)
	c.Consumer.validate(&p)
	return errors.Join(p...)
}

type problems []error

func (p *problems) check(ok bool, key, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf(key+": "+format, args...))
	}
}

func (p *problems) positive(key string, n int) { p.check(n > 0, key, "must be above zero") }

// between has both ends included.
func (p *problems) between(key string, d, low, high time.Duration) {
	p.check(d >= low && d <= high, key, "must be %s to %s", low, high)
}

func (c *Config) validateTopics(p *problems) {
	topic := func(key, name string) {
		p.check(legalTopic(name), key, "%q is no topic name: 1 to 200 of a-z, A-Z, 0-9, dot, underscore, hyphen", name)
	}
	topic("up_topic", c.UpTopic)
	topic("down_topic", c.DownTopic)
	topic("dead_letter_suffix", c.DeadLetterSuffix)
	seen := map[string]bool{}
	for _, t := range c.Topics() {
		p.check(!seen[t], "up_topic", "the topics and their dead-letter topics must differ, %q is used twice", t)
		seen[t] = true
	}
	p.check(c.Partitions > 0 && c.Partitions <= 10_000, "partitions", "must be 1 to 10000")
	p.check(c.Replication >= 0 && c.Replication <= 100, "replication", "must be 0, for the broker's default, to 100")
}

func legalTopic(name string) bool {
	if name == "" || len(name) > 200 || name == "." || name == ".." {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

func (c *Config) validateSecurity(p *problems) {
	p.check((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "tls.cert_file", "goes together with tls.key_file")
	if !c.TLS.Enabled {
		p.check(c.TLS.CAFile == "" && c.TLS.CertFile == "" && c.TLS.ServerName == "", "tls.enabled",
			"must be true when other tls settings are made")
	}
	switch c.SASL.Mechanism {
	case "":
		p.check(c.SASL.Username == "" && c.SASL.Password == "", "sasl.mechanism", "is missing")
	case "plain", "scram-sha-256", "scram-sha-512":
		p.check(c.SASL.Username != "", "sasl.username", "is missing")
		p.check(c.SASL.Password != "", "sasl.password", "is missing")
	default:
		p.check(false, "sasl.mechanism", "must be plain, scram-sha-256 or scram-sha-512")
	}
}

func (c *ProducerConfig) validate(p *problems) {
	p.check(c.Lanes > 0 && c.Lanes <= 1024, "producer.lanes", "must be 1 to 1024")
	p.positive("producer.max_records", c.MaxRecords)
	p.check(c.MaxRecordBytes >= 1024 && c.MaxRecordBytes <= 4_000_000, "producer.max_record_bytes", "must be 1024 to 4000000")
	p.check(c.MaxBytes >= c.MaxRecordBytes, "producer.max_bytes", "must be at least producer.max_record_bytes")
	p.check(c.BatchRecords > 0 && c.BatchRecords <= 100_000, "producer.batch_records", "must be 1 to 100000")
	p.between("producer.write_timeout", c.WriteTimeout, 10*time.Millisecond, time.Minute)
	p.between("producer.max_age", c.MaxAge, 10*time.Millisecond, 5*time.Minute)
	p.check(c.MaxAge > c.WriteTimeout, "producer.max_age", "must be longer than producer.write_timeout")
	p.between("producer.linger", c.Linger, time.Microsecond, time.Second)
}

func (c *ConsumerConfig) validate(p *problems) {
	p.positive("consumer.max_in_flight", c.MaxInFlight)
	p.positive("consumer.max_in_flight_bytes", c.MaxInFlightBytes)
	p.check(c.MaxInFlightPartition > 0 && c.MaxInFlightPartition <= c.MaxInFlight, "consumer.max_in_flight_partition",
		"must be 1 to consumer.max_in_flight")
	p.check(c.MaxAttempts > 0 && c.MaxAttempts <= 100, "consumer.max_attempts", "must be 1 to 100")
	p.check(c.RetryFor > 0 && c.RetryFor < 5*time.Second, "consumer.retry_for", "must be above zero and less than 5s")
	p.check(c.RetryBackoff > 0 && c.RetryBackoff <= c.RetryFor, "consumer.retry_backoff",
		"must be above zero and at most consumer.retry_for")
	p.between("consumer.ack_timeout", c.AckTimeout, 10*time.Millisecond, time.Hour)
	p.between("consumer.commit_interval", c.CommitInterval, time.Millisecond, time.Minute)
	p.between("consumer.session_timeout", c.SessionTimeout, time.Second, 30*time.Minute)
	p.check(c.Heartbeat >= 10*time.Millisecond && c.Heartbeat <= c.SessionTimeout/3, "consumer.heartbeat",
		"must be 10ms to a third of consumer.session_timeout")
	p.check(c.Handover >= 0 && c.Handover < c.SessionTimeout, "consumer.handover",
		"must be less than consumer.session_timeout: no heartbeat is sent meanwhile")
	p.between("consumer.max_wait", c.MaxWait, 10*time.Millisecond, 10*time.Second)
	p.between("consumer.rebalance_timeout", c.RebalanceTimeout, time.Second, 10*time.Minute)
	p.check(c.RebalanceTimeout > c.Handover+c.MaxWait, "consumer.rebalance_timeout",
		"must be longer than consumer.handover and consumer.max_wait together")
}
