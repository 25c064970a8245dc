package bus

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sluice/pkg/id"
)

// read are the records of a batch as kafka-go reads them, which checks the checksum.
func read(t *testing.T, batch []byte) (all []kafka.Message) {
	t.Helper()
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewBuffer(batch)); err != nil {
		t.Fatal(err)
	}
	for {
		r, err := set.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		m := kafka.Message{Offset: r.Offset, Time: r.Time, Headers: r.Headers}
		m.Key, _ = protocol.ReadAll(r.Key)
		m.Value, _ = protocol.ReadAll(r.Value)
		all = append(all, m)
	}
}

func TestBatchIsOneOfKafka(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	records := []Record{
		{Key: "k", Body: []byte("body"), Headers: fullHeaders},
		{Body: []byte{}, Headers: Headers{}},
		{Key: strings.Repeat("long", 100), Headers: Headers{Mid: 1}},
		{Body: bytes.Repeat([]byte("x"), 70_000), BySocket: true, Headers: Headers{Socket: 1 << 60}},
	}
	for len(records) < 300 { // offsets of two bytes
		records = append(records, Record{Key: "k", Body: []byte("b")})
	}
	var b recordBatch
	for range 2 { // the second time in the buffer of the first
		for i := range records {
			b.add(appendRecord(nil, &records[i]))
		}
		got := read(t, b.seal(at))
		if len(got) != len(records) {
			t.Fatalf("%d records of %d", len(got), len(records))
		}
		for i, m := range got {
			want := records[i]
			if want.BySocket {
				want.Key = want.Headers.Socket.String()
			}
			h, err := decodeHeaders(m.Headers)
			if err != nil || !reflect.DeepEqual(h, want.Headers) || string(m.Key) != want.Key ||
				!bytes.Equal(m.Value, want.Body) || m.Offset != int64(i) || !m.Time.Equal(at) {
				t.Fatalf("record %d: %+v, %v", i, m, err)
			}
			if (m.Key == nil) != (want.Key == "") || (m.Value == nil) != (want.Body == nil) {
				t.Fatalf("record %d: null is not nil", i)
			}
		}
		b.reset()
	}
}

func TestTextsThatCameAsBytesAreTheSame(t *testing.T) {
	a := Record{Headers: Headers{TraceID: "00-trace"}}
	b := Record{Headers: Headers{Trace: []byte("00-trace")}}
	if !bytes.Equal(appendRecord(nil, &a), appendRecord(nil, &b)) {
		t.Error("a trace as bytes is another")
	}
	up, _ := (&Up{Event: "edit"}).Append(nil)
	if named, _ := (&Up{Name: []byte("edit")}).Append(nil); !bytes.Equal(up, named) {
		t.Error("an event's name as bytes is another")
	}
}

func TestKeyGoesWhereKafkaPutsIt(t *testing.T) {
	var hash kafka.Hash
	partitions := make([]int, 48)
	for i := range partitions {
		partitions[i] = i
	}
	for i := range 1000 {
		key := strings.Repeat("k", i%7) + time.Duration(i).String()
		r := Record{Key: key}
		got := hashOf(keyOfRecord(appendRecord(nil, &r)))
		for _, n := range []int{1, 3, 16, 48} {
			want := hash.Balance(kafka.Message{Key: []byte(key)}, partitions[:n]...)
			if placeOf(got, n) != want {
				t.Fatalf("%q of %d: %d, want %d", key, n, placeOf(got, n), want)
			}
			if n%16 == 0 && want%16 != placeOf(got, 16) {
				t.Fatalf("%q: partition %d of %d is not of lane %d", key, want, n, placeOf(got, 16))
			}
		}
	}
}

// messageCycle returns what is done for one message of a client, and how many were
// settled so far.
func messageCycle(t testing.TB) (cycle func(), settled *int) {
	cfg := testConfig("127.0.0.1:1")
	p := openWithoutTopics(t, cfg).Producer()
	lane := p.topics[cfg.UpTopic].lanes[0]
	up := Up{
		Namespace: "/", Name: []byte("edit"), Args: []byte(`["text",1]`), HasAck: true, AckID: 7,
		Docs: []id.Doc{"one", "two"}, Boot: "b00t", Replica: 9,
	}
	r := Record{Topic: cfg.UpTopic, Headers: fullHeaders, BySocket: true}
	for placeOf(hashOf(r.Headers.Socket.Append(nil)), cfg.Producer.Lanes) != 0 {
		r.Headers.Socket++
	}
	settled = new(int)
	done := func(error) { *settled++ }
	var batch []*unsettled
	var b recordBatch
	return func() {
		r.Body, _ = up.Append(r.Body[:0])
		if err := p.EnqueueFrom(&r, done); err != nil {
			t.Fatal(err)
		}
		batch = lane.take(batch[:0])
		for _, u := range batch {
			b.add(u.rec)
		}
		b.seal(time.Time{})
		b.reset()
		lane.land(batch, func(*unsettled) fate { return fate{final: true} }, time.Time{})
	}, settled
}

func TestMessageOfAClientIsTakenWithoutAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	cycle, settled := messageCycle(t)
	if n := testing.AllocsPerRun(1000, cycle); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if *settled != 1001 { // one to warm up
		t.Errorf("%d settled", *settled)
	}
}
