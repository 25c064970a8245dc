package bus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	producing "github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// ekafka's producers take messages and nothing else, and encode each on the way. So a
// request that is ready travels through them as a single small message, the carrier,
// which names the shipment; our transport, which every request passes (see
// transport.go), recognizes it and sends the shipment in its place:
//
//	flight -> ekafka.Producer -> kafka.Writer -> transportSwitch -> broker
//	            carrier            carrier         | shipment
//
// Metrics, tracing and time-outs of ekafka are those of any other write.

// carrierHeader marks the message; its value is the shipment's number. It never
// reaches a broker.
const carrierHeader = "sluice-shipment"

// shipment is one request to a leader: parts of a topic.
type shipment struct {
	topic  string
	leader int
	parts  []*part
	number uint64

	answered bool // guarded by underWay.mu until done, as are the errors of the parts
}

// shipments are the requests that are on their way through ekafka.
type shipments struct {
	mu     sync.Mutex
	last   uint64               // guarded by mu
	byName map[uint64]*shipment // guarded by mu
}

var underWay = &shipments{byName: map[uint64]*shipment{}}

// message registers the shipment and returns its carrier.
func (s *shipment) message() *kafka.Message {
	underWay.mu.Lock()
	underWay.last++
	s.number = underWay.last
	underWay.byName[s.number] = s
	underWay.mu.Unlock()
	return &kafka.Message{
		Topic: s.topic, Partition: s.parts[0].partition,
		Headers: []kafka.Header{{Key: carrierHeader, Value: binary.BigEndian.AppendUint64(nil, s.number)}},
	}
}

// done ends the registration: what is answered later is not heard. It tells whether
// the broker has answered.
func (s *shipment) done() (answered bool) {
	underWay.mu.Lock()
	defer underWay.mu.Unlock()
	delete(underWay.byName, s.number)
	return s.answered
}

// fail gives all parts the same error. Call it after done.
func (s *shipment) fail(err error) {
	for _, p := range s.parts {
		p.err = err
	}
}

// byCarrier is the balancer that leaves a carrier where it was put.
type byCarrier struct{}

func (byCarrier) Balance(msg kafka.Message, partitions ...int) int {
	if msg.Partition < len(partitions) {
		return msg.Partition
	}
	return 0
}

var errGivenUp = errors.New("the write was given up")

// carried returns the shipment that a request stands for, or nil if it is what it
// looks like. The error means that it must not be sent at all.
func carried(req *producing.Request) (*shipment, error) {
	set := &req.Topics[0].Partitions[0].RecordSet
	first, err := set.Records.ReadRecord()
	if err != nil || len(first.Headers) == 0 || first.Headers[0].Key != carrierHeader {
		set.Records = &unread{first: first, err: err, rest: set.Records}
		return nil, nil
	}
	underWay.mu.Lock()
	defer underWay.mu.Unlock()
	s := underWay.byName[binary.BigEndian.Uint64(first.Headers[0].Value)]
	if s == nil {
		return nil, errGivenUp
	}
	return s, nil
}

// unread gives a record back that was read.
type unread struct {
	first *protocol.Record
	err   error
	rest  protocol.RecordReader
	read  bool
}

func (u *unread) ReadRecord() (*protocol.Record, error) {
	if !u.read {
		u.read = true
		return u.first, u.err
	}
	return u.rest.ReadRecord()
}

// send sends the shipment in place of its carrier.
func (s *shipment) send(ctx context.Context, through kafka.RoundTripper, addr net.Addr, carrier *producing.Request) (kafka.Response, error) {
	partitions := make([]rawproduce.RequestPartition, len(s.parts))
	for i, p := range s.parts {
		partitions[i] = rawproduce.RequestPartition{
			Partition: int32(p.partition), RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(p.b)},
		}
	}
	res, err := through.RoundTrip(ctx, addr, &rawproduce.Request{
		Acks: carrier.Acks, Timeout: carrier.Timeout,
		Topics: []rawproduce.RequestTopic{{Topic: s.topic, Partitions: partitions}},
	})
	if err != nil {
		return nil, err
	}
	answer, ok := res.(*producing.Response)
	if !ok || len(answer.Topics) != 1 {
		return nil, fmt.Errorf("an answer of %T to a write", res)
	}
	return s.answer(carrier, answer.Topics[0].Partitions), nil
}

// answer notes what the broker says of each partition, and makes the answer to the
// carrier: an error if there was any, so that it is counted.
func (s *shipment) answer(carrier *producing.Request, answers []producing.ResponsePartition) *producing.Response {
	underWay.mu.Lock()
	defer underWay.mu.Unlock()
	var code int16
	if underWay.byName[s.number] == s { // somebody waits for it
		s.answered = true
		for i, p := range s.parts {
			p.err = errUntold
			if a := answerFor(answers, i, p.partition); a != nil {
				p.err = partitionError(a)
				if a.ErrorCode != 0 {
					code = a.ErrorCode
				}
			}
		}
	}
	topic := &carrier.Topics[0]
	return &producing.Response{Topics: []producing.ResponseTopic{{Topic: topic.Topic, Partitions: []producing.ResponsePartition{
		{Partition: topic.Partitions[0].Partition, ErrorCode: code},
	}}}}
}

var errUntold = errors.New("the broker does not say what became of the partition")

// answerFor finds a partition, which is mostly where it was in the request.
func answerFor(answers []producing.ResponsePartition, at, partition int) *producing.ResponsePartition {
	if at < len(answers) && int(answers[at].Partition) == partition {
		return &answers[at]
	}
	for i := range answers {
		if int(answers[i].Partition) == partition {
			return &answers[i]
		}
	}
	return nil
}

func partitionError(p *producing.ResponsePartition) error {
	switch {
	case p.ErrorCode == 0:
		return nil
	case p.ErrorMessage == "":
		return kafka.Error(p.ErrorCode)
	}
	return fmt.Errorf("%w: %s", kafka.Error(p.ErrorCode), p.ErrorMessage)
}
