package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	producing "github.com/segmentio/kafka-go/protocol/produce"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// writesOf counts the write requests, and has an eye on what they hold.
func writesOf(c *kfake.Cluster, look func(*kmsg.ProduceRequest)) (count func() int64) {
	var n atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		n.Add(1)
		look(req.(*kmsg.ProduceRequest))
		return nil, nil, false
	})
	return n.Load
}

// enqueueAll gives the producer records of many keys before it runs, and returns how
// to wait for them.
func enqueueAll(t *testing.T, p *Producer, topic string, keys, each int) (wait func() (failed int64)) {
	t.Helper()
	var settled sync.WaitGroup
	var failed atomic.Int64
	for n := range each {
		for i := range keys {
			settled.Add(1)
			if err := p.Enqueue(rec(topic, fmt.Sprint("k", i), n), func(err error) {
				if err != nil {
					failed.Add(1)
				}
				settled.Done()
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func() int64 {
		settled.Wait()
		return failed.Load()
	}
}

func TestPartitionsShareARequest(t *testing.T) {
	const keys, each = 100, 10
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Partitions, cfg.Producer.Lanes = 16, 16
	k := open(t, cfg)
	var partitions atomic.Int64
	writes := writesOf(c, func(r *kmsg.ProduceRequest) { partitions.Add(int64(len(r.Topics[0].Partitions))) })
	wait := enqueueAll(t, k.Producer(), cfg.UpTopic, keys, each)
	produce(t, k)
	if failed := wait(); failed > 0 {
		t.Fatalf("%d records failed", failed)
	}
	if writes() != 1 || partitions.Load() != 16 {
		t.Errorf("%d requests for %d partitions", writes(), partitions.Load())
	}
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	checkOrder(t, j.untilMids(t, keys*each), keys, each)
}

func TestLeadersHaveRequestsOfTheirOwn(t *testing.T) {
	const keys, each = 100, 10
	c := embedded(t, kfake.NumBrokers(3))
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Partitions, cfg.Producer.Lanes = 8, 4 // a lane may have two leaders
	k := open(t, cfg)
	wait := enqueueAll(t, k.Producer(), cfg.UpTopic, keys, each)
	p, _ := produce(t, k)
	if failed := wait(); failed > 0 {
		t.Fatalf("%d records failed", failed)
	}
	// A leader moves away: what goes to the old one is refused, asked about, and tried again.
	for i := range cfg.Partitions {
		if err := c.MoveTopicPartition(cfg.UpTopic, int32(i), int32(i)%2); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", i), each))
	}
	j := newJournal()
	consume(t, k, cfg.UpTopic, "g", func(_ context.Context, d *Delivery) { j.add(d); d.Ack() })
	checkOrder(t, j.untilMids(t, keys*(each+1)), keys, each+1)
}

func TestPartitionInTroubleHoldsUpNoOther(t *testing.T) {
	c := embedded(t)
	cfg := testConfig(c.ListenAddrs()[0])
	cfg.Producer.MaxAge = patience / 2
	k := open(t, cfg)
	var sick atomic.Int32
	var alone, shared atomic.Int64
	sick.Store(-1)
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r := req.(*kmsg.ProduceRequest)
		for _, p := range r.Topics[0].Partitions {
			if p.Partition == sick.Load() {
				return refuse(r, &alone, &shared), nil, true
			}
		}
		return nil, nil, false
	})
	p, _ := produce(t, k)
	hash := func(i int) int32 { return int32(placeOf(hashOf(fmt.Append(nil, "k", i)), cfg.Partitions)) }
	sick.Store(hash(0))
	ended := make(chan struct{})
	if err := p.Enqueue(rec(cfg.UpTopic, "k0", 0), func(error) { close(ended) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a lane that flies alone", func() bool { return alone.Load() > 2 })
	from := time.Now()
	for n := range 20 {
		for i := range 20 {
			if hash(i) != sick.Load() {
				publish(t, p, rec(cfg.UpTopic, fmt.Sprint("k", i), n))
			}
		}
	}
	if took := time.Since(from); took > cfg.Producer.MaxAge/2 {
		t.Errorf("the others took %v", took)
	}
	if shared.Load() > 0 {
		t.Errorf("%d requests with others were refused", shared.Load())
	}
	sick.Store(-1)
	<-ended
}

// refuse answers a write that no replica was there for.
func refuse(r *kmsg.ProduceRequest, alone, shared *atomic.Int64) kmsg.Response {
	res := r.ResponseKind().(*kmsg.ProduceResponse)
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic, topic.TopicID = r.Topics[0].Topic, r.Topics[0].TopicID
	for _, p := range r.Topics[0].Partitions {
		answer := kmsg.NewProduceResponseTopicPartition()
		answer.Partition, answer.ErrorCode = p.Partition, kerr.NotEnoughReplicas.Code
		topic.Partitions = append(topic.Partitions, answer)
	}
	res.Topics = append(res.Topics, topic)
	if len(r.Topics[0].Partitions) > 1 {
		shared.Add(1)
	} else {
		alone.Add(1)
	}
	return res
}

func TestFirstRecordAfterAPauseWaitsAFifth(t *testing.T) {
	cfg := testConfig(embedded(t).ListenAddrs()[0])
	const linger = time.Second
	cfg.Producer.Linger = linger
	k := open(t, cfg)
	p, _ := produce(t, k)
	from := time.Now()
	publish(t, p, rec(cfg.UpTopic, "k", 0))
	if took := time.Since(from); took < linger*3/20 || took >= linger {
		t.Errorf("the first was written after %v", took)
	}
	publish(t, p, rec(cfg.UpTopic, "k", 1))
	if took := time.Since(from); took < linger*11/10 { // it began at least a fifth and all of it later
		t.Errorf("the second was written after %v, and had no company", took)
	}
}

func TestFullLaneWaitsForNothing(t *testing.T) {
	cfg := testConfig(embedded(t).ListenAddrs()[0])
	cfg.Partitions, cfg.Producer.Lanes = 1, 1
	const linger = time.Second
	cfg.Producer.Linger = linger
	cfg.Producer.BatchRecords = 10
	k := open(t, cfg)
	p, _ := produce(t, k)
	publish(t, p, rec(cfg.UpTopic, "k", 0))
	from := time.Now()
	if failed := enqueueAll(t, p, cfg.UpTopic, 1, 10)(); failed > 0 {
		t.Fatal("some failed")
	}
	if took := time.Since(from); took > linger*3/4 {
		t.Errorf("ten were written after %v", took)
	}
}

func TestWhatIsNoCarrierPassesAsItIs(t *testing.T) {
	records := []protocol.Record{{Key: protocol.NewBytes([]byte("a"))}, {Key: protocol.NewBytes([]byte("b"))}}
	req := requestOf(records...)
	if ship, err := carried(req); ship != nil || err != nil {
		t.Fatalf("%v, %v", ship, err)
	}
	for _, want := range []string{"a", "b"} {
		r, err := req.Topics[0].Partitions[0].RecordSet.Records.ReadRecord()
		if err != nil {
			t.Fatal(err)
		}
		if key, _ := protocol.ReadAll(r.Key); string(key) != want {
			t.Errorf("%q, want %q", key, want)
		}
	}
}

func TestCarrierOfAWriteGivenUpIsNotSent(t *testing.T) {
	s := &shipment{topic: "t", parts: []*part{{partition: 3}}}
	carrier := requestOf(protocol.Record{Headers: s.message().Headers})
	if ship, err := carried(carrier); ship != s || err != nil {
		t.Fatalf("%v, %v", ship, err)
	}
	if s.done() {
		t.Error("answered by nobody")
	}
	if _, err := carried(requestOf(protocol.Record{Headers: s.message().Headers})); err != nil {
		t.Error(err)
	}
	late := requestOf(protocol.Record{Headers: s.message().Headers})
	s.done()
	if ship, err := carried(late); ship != nil || !errors.Is(err, errGivenUp) {
		t.Errorf("%v, %v", ship, err)
	}
	// An answer that comes too late changes nothing that somebody may read by now.
	s.answer(carrier, []producing.ResponsePartition{{Partition: 3, ErrorCode: 1}})
	if s.answered || s.parts[0].err != nil {
		t.Error("the late answer was heard")
	}
}

func requestOf(records ...protocol.Record) *producing.Request {
	return &producing.Request{Topics: []producing.RequestTopic{{Topic: "t", Partitions: []producing.RequestPartition{{
		Partition: 3, RecordSet: protocol.RecordSet{Records: protocol.NewRecordReader(records...)},
	}}}}}
}
