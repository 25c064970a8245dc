package bus

import (
	"errors"
	"testing"
	"time"
)

// A write that is still under way has the pointers of its records: what expires
// meanwhile must not become another record before it has ended.
func TestRecordThatExpiresInAWriteIsNotUsedAgain(t *testing.T) {
	cfg := testConfig("127.0.0.1:1")
	cfg.Producer.Lanes = 1
	p := openWithoutTopics(t, cfg).Producer()
	l := p.topics[cfg.UpTopic].lanes[0]
	var first, second []error
	if err := p.Enqueue(rec(cfg.UpTopic, "k", 0), func(err error) { first = append(first, err) }); err != nil {
		t.Fatal(err)
	}
	batch := l.take(nil)
	now := time.Now().Add(cfg.Producer.MaxAge)
	if _, ended := l.expire(now); ended != 1 || len(first) != 1 || !errors.Is(first[0], ErrTimeout) {
		t.Fatalf("%d ended: %v", ended, first)
	}
	if err := p.Enqueue(rec(cfg.UpTopic, "k", 1), func(err error) { second = append(second, err) }); err != nil {
		t.Fatal(err)
	}
	l.land(batch, func(*unsettled) fate { return fate{final: true} }, now)
	if len(first) != 1 || len(second) != 0 {
		t.Errorf("the first ended %d times, the second, which nobody has written, %d times", len(first), len(second))
	}
	if batch = l.take(nil); len(batch) != 1 {
		t.Fatalf("%d records are left to write", len(batch))
	}
	l.land(batch, func(*unsettled) fate { return fate{final: true} }, now)
	if records, bytes := p.Buffered(); len(second) != 1 || records != 0 || bytes != 0 {
		t.Errorf("%d records, %d bytes are left", records, bytes)
	}
}
