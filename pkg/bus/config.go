package bus

import "time"

// Config describes the Kafka that a process talks to and how it does so. Start from
// DefaultConfig.
type Config struct {
	// Brokers are bootstrap addresses, host:port. Required. Name several, so that a
	// process can start while one of them is down.
	Brokers []string `toml:"brokers"`

	// UpTopic carries what clients send. Default "ws.up".
	UpTopic string `toml:"up_topic"`

	// DownTopic carries durable pushes. Default "ws.down".
	DownTopic string `toml:"down_topic"`

	// DeadLetterSuffix makes the name of a topic's dead-letter topic. Default ".dlq".
	DeadLetterSuffix string `toml:"dead_letter_suffix"`

	// Partitions is how many partitions EnsureTopics gives a topic that is missing.
	// Default 16. It bounds how many consumers of a group can share the work. Changing
	// the number of an existing topic moves keys to other partitions and so breaks
	// their order once.
	Partitions int `toml:"partitions"`

	// Replication is how many copies EnsureTopics asks for. Default 0, the broker's
	// default.replication.factor. Use 3 in production, with min.insync.replicas of 2.
	Replication int `toml:"replication"`

	TLS      TLS            `toml:"tls"`
	SASL     SASL           `toml:"sasl"`
	Producer ProducerConfig `toml:"producer"`
	Consumer ConsumerConfig `toml:"consumer"`
}

// TLS tells how connections to the brokers are encrypted.
type TLS struct {
	// Enabled turns TLS on. Default false.
	Enabled bool `toml:"enabled"`

	// CAFile is a PEM file with the authorities to trust. Default "", the system's.
	CAFile string `toml:"ca_file"`

	// CertFile and KeyFile are the client's own PEM certificate and key, for brokers
	// that ask for one. Default "", none. Both or neither.
	CertFile string `toml:"cert_file"`
	// KeyFile is the PEM private key of CertFile. Default "", none.
	KeyFile string `toml:"key_file"`

	// ServerName is the name that the brokers' certificates must have. Default "",
	// the host that is connected to.
	ServerName string `toml:"server_name"`
}

// SASL tells how the process authenticates to the brokers.
type SASL struct {
	// Mechanism is "plain", "scram-sha-256" or "scram-sha-512". Default "", none.
	// Use plain over TLS only.
	Mechanism string `toml:"mechanism"`

	// Username is who the process is to the brokers. Needed with a mechanism.
	Username string `toml:"username"`
	// Password proves it. Needed with a mechanism; a secret.
	Password string `toml:"password"`
}

// ProducerConfig bounds the producer's buffer and its patience.
type ProducerConfig struct {
	// Lanes is into how many parts what waits for a topic is divided. Default 16. A key
	// belongs to one lane, which has one write under way. The lanes of a topic share
	// their requests while they are well; one whose write has failed has its own until
	// one succeeds. Best equal to the number of partitions, or a divisor of it: then a
	// partition without a leader holds up no other than those of its lane. Otherwise
	// each lane has requests of its own, which costs more.
	Lanes int `toml:"lanes"`

	// MaxRecords and MaxBytes bound what is buffered, over all lanes. Defaults 100000
	// and 64 MiB. Beyond either, Enqueue answers ErrFull. Raise them to ride out longer
	// bursts, at the price of memory.
	MaxRecords int `toml:"max_records"`
	// MaxBytes is the same bound in bytes of keys, headers and bodies.
	MaxBytes int `toml:"max_bytes"`

	// MaxRecordBytes bounds one record with its key and headers, and one batch of a
	// lane. Default 1040000, just under the brokers' own default for a batch
	// (max.message.bytes, 1048588); at most 4000000. When you raise it, raise theirs
	// too; EnsureTopics does so for the topics that it creates.
	MaxRecordBytes int `toml:"max_record_bytes"`

	// BatchRecords is how many records one write of a lane may carry. Default 500. A
	// lane that has as many waits for no Linger.
	BatchRecords int `toml:"batch_records"`

	// MaxAge is how long a record may wait for its acknowledgement, from Enqueue on,
	// all repetitions included. Default 5s. Then it ends with ErrTimeout.
	MaxAge time.Duration `toml:"max_age"`

	// WriteTimeout bounds one attempt to write. Default 2s. It must be shorter than
	// MaxAge, or nothing is ever tried twice.
	WriteTimeout time.Duration `toml:"write_timeout"`

	// Linger is the least time between two writes of a topic, in which records gather.
	// Default 5ms. After a pause it is over when nothing more has come for a fifth of
	// it. A longer one saves CPU here and requests at the brokers, and costs records
	// under load that time.
	Linger time.Duration `toml:"linger"`
}

// ConsumerConfig bounds what a consumer has in hand and how it deals with refusal.
type ConsumerConfig struct {
	// MaxInFlight and MaxInFlightBytes bound the records handed out and not yet
	// settled, over all partitions of a consumer. Defaults 4096 and 64 MiB. When
	// either is reached, nothing more is fetched.
	MaxInFlight int `toml:"max_in_flight"`
	// MaxInFlightBytes is the same bound in bytes.
	MaxInFlightBytes int `toml:"max_in_flight_bytes"`

	// MaxInFlightPartition is the same bound for one partition. Default 1024. It keeps
	// one slow partition from taking everything.
	MaxInFlightPartition int `toml:"max_in_flight_partition"`

	// MaxAttempts is how often a record that is refused is handed over in all, before
	// it becomes a dead letter. Default 6.
	MaxAttempts int `toml:"max_attempts"`

	// RetryFor is how long refused records of one key may be tried again. Default 4s,
	// less than 5s. With the write of the dead letter it is the time for which poison
	// can hold up its key, and its partition once the key has filled the window.
	RetryFor time.Duration `toml:"retry_for"`

	// RetryBackoff is the pause before the second attempt; it doubles from one to the
	// next. Default 100ms.
	RetryBackoff time.Duration `toml:"retry_backoff"`

	// AckTimeout is how long a handed-over record may stay unanswered before that
	// counts as a refusal. Default 10s. It starts when the handler returns, so a
	// handler may block as long as it likes to slow the consumer down. Silence holds
	// up a key longer than a refusal does: it costs this time twice before the record
	// is put aside. Keep it above the time that a healthy handler may need.
	AckTimeout time.Duration `toml:"ack_timeout"`

	// CommitInterval is how often progress is committed. Default 200ms. A shorter one
	// repeats less after a crash and asks the broker more often.
	CommitInterval time.Duration `toml:"commit_interval"`

	// Handover is how long a consumer that loses its partitions, or is told to end,
	// waits for what it has handed out. Default 2s. The whole group waits with it.
	Handover time.Duration `toml:"handover"`

	// SessionTimeout is how long after a crash the partitions of a consumer stand
	// still. Default 10s; the brokers allow 6s to 30m unless told otherwise.
	SessionTimeout time.Duration `toml:"session_timeout"`

	// Heartbeat is how often a member tells the group that it lives, and learns that
	// the group changes. Default 1s.
	Heartbeat time.Duration `toml:"heartbeat"`

	// RebalanceTimeout is how long the group waits for a member to join again when the
	// group changes. Default 10s. It must exceed Handover and MaxWait together.
	RebalanceTimeout time.Duration `toml:"rebalance_timeout"`

	// MaxWait is how long a fetch waits for records. Default 500ms. It also bounds how
	// long it takes to let a partition go.
	MaxWait time.Duration `toml:"max_wait"`
}

// DefaultConfig returns the defaults, without brokers.
func DefaultConfig() Config {
	return Config{
		UpTopic:          "ws.up",
		DownTopic:        "ws.down",
		DeadLetterSuffix: ".dlq",
		Partitions:       16,
		Producer: ProducerConfig{
			Lanes:          16,
			MaxRecords:     100_000,
			MaxBytes:       64 << 20,
			MaxRecordBytes: 1_040_000,
			BatchRecords:   500,
			MaxAge:         5 * time.Second,
			WriteTimeout:   2 * time.Second,
			Linger:         5 * time.Millisecond,
		},
		Consumer: ConsumerConfig{
			MaxInFlight:          4096,
			MaxInFlightBytes:     64 << 20,
			MaxInFlightPartition: 1024,
			MaxAttempts:          6,
			RetryFor:             4 * time.Second,
			RetryBackoff:         100 * time.Millisecond,
			AckTimeout:           10 * time.Second,
			CommitInterval:       200 * time.Millisecond,
			Handover:             2 * time.Second,
			SessionTimeout:       10 * time.Second,
			Heartbeat:            time.Second,
			RebalanceTimeout:     10 * time.Second,
			MaxWait:              500 * time.Millisecond,
		},
	}
}

// Topics returns every topic that the configuration names, dead letters included.
func (c *Config) Topics() []string {
	return []string{c.UpTopic, c.DownTopic, c.UpTopic + c.DeadLetterSuffix, c.DownTopic + c.DeadLetterSuffix}
}
