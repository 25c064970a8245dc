package stream

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/id"
	"sluice/pkg/redistest"
)

func offline(shards int) *Stream {
	cfg := DefaultConfig()
	cfg.Shards = shards
	return New(cfg, nil, quiet, NewMetrics(prometheus.NewRegistry()))
}

// Stored positions depend on these: they must never change.
func TestShardOfIsFixed(t *testing.T) {
	s := offline(8)
	got := ""
	for _, target := range []id.Target{doc("a"), doc("b"), doc("report-2024"), id.UserTarget("a"), id.AllTarget(), id.SocketTarget(1)} {
		got += fmt.Sprint(s.ShardOf(target))
	}
	if got != "616456" {
		t.Errorf("shards %s", got)
	}
}

func TestShardsAreEven(t *testing.T) {
	for shards := 1; shards <= MaxShards; shards++ {
		s := offline(shards)
		counts := make([]int, shards)
		const n = 8000
		for i := range n {
			counts[s.ShardOf(doc(fmt.Sprintf("doc-%d", i)))]++
		}
		for shard, c := range counts {
			if want := n / shards; c < want*8/10 || c > want*12/10 {
				t.Errorf("%d of %d documents in shard %d of %d", c, n, shard, shards)
			}
		}
	}
}

func TestShardOfDoesNotAllocate(t *testing.T) {
	s, target := offline(4), doc("report-2024")
	if n := testing.AllocsPerRun(100, func() { s.ShardOf(target) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKeysOfAShardShareAHashTag(t *testing.T) {
	s := offline(2)
	k := &s.shards[1].keys
	for _, key := range []string{k.state, k.marks, k.log, k.stream("d:{x}"), k.mids("u:}{"), k.meta("a:"), k.reservation(idempotency("a", "b"))} {
		if redistest.HashTag(key) != "1" {
			t.Errorf("%q has the tag %q", key, redistest.HashTag(key))
		}
	}
}

func TestIdempotencyKeysDoNotMeet(t *testing.T) {
	if idempotency("a", "bc") == idempotency("ab", "c") {
		t.Error("(a, bc) and (ab, c) are the same")
	}
}
