package gateway

import (
	"fmt"
	"testing"
	"time"
)

func TestTheNewestPerKeyWaitsAndOldOnesGo(t *testing.T) {
	now := time.Now()
	var l lateSet
	put := func(key string, age time.Duration) int {
		return l.put(lateEvent{key: key, until: now.Add(lateFor - age)})
	}
	if put("a", 200*time.Millisecond) != 0 || put("b", 100*time.Millisecond) != 0 {
		t.Error("dropped what has another key")
	}
	if put("a", 0) != 1 || len(l.events) != 2 || l.events[1].key != "a" {
		t.Errorf("the newer of one key does not replace the older: %v", l.events)
	}
	if n := l.expire(now.Add(lateFor - 50*time.Millisecond)); n != 1 || len(l.events) != 1 {
		t.Errorf("expired %d, %d left", n, len(l.events))
	}
	for i := range 2 * lateKeys {
		put(fmt.Sprint(i), 0)
	}
	if len(l.events) != lateKeys {
		t.Errorf("%d keys wait", len(l.events))
	}
}
