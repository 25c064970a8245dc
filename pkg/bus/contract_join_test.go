package bus

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// diedJoining is what Apache Kafka does with a member whose connection ends while
// it waits to join for the first time: it gets partitions, and the others get them
// when its session has run out. The embedded broker may keep it for ever, so this
// is no part of the contract.
func diedJoining(t *testing.T, broker string) {
	cfg := testConfig(broker)
	cfg.Consumer.Heartbeat = time.Second // the time in which the member waits for this one
	k := open(t, cfg)
	c, _ := consume(t, k, cfg.DownTopic, "g", func(_ context.Context, d *Delivery) { d.Ack() })
	has := func(n int) func() bool {
		return func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.current != nil && len(c.current.partitions) == n
		}
	}
	eventually(t, "all partitions", has(cfg.Partitions))

	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = "g", "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 6000, 6000
	topics := kmsg.NewConsumerMemberMetadata()
	topics.Topics = []string{cfg.DownTopic}
	for _, name := range []string{"range", "roundrobin"} {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, topics.AppendTo(nil)
		join.Protocols = append(join.Protocols, p)
	}
	join.SetVersion(1)
	conn, err := net.Dial("tcp", broker)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, join, 1)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	eventually(t, "half of the partitions", has(cfg.Partitions/2))
	eventually(t, "all partitions again", has(cfg.Partitions))
}
