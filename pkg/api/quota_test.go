package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPushesAreCountedPerSecond(t *testing.T) {
	q := newQuota(QuotaConfig{Pushes: 10, PushBurst: 3})
	now := time.Unix(1000, 0)
	for i := range 3 {
		if err := q.push(now, 1); err != nil {
			t.Fatalf("push %d: %v", i, err)
		}
	}
	var over *QuotaError
	if err := q.push(now, 1); !errors.As(err, &over) || over.Quota != "pushes" || over.After != 100*time.Millisecond {
		t.Fatalf("beyond the burst: %v", err)
	}
	if err := q.push(now.Add(100*time.Millisecond), 1); err != nil {
		t.Errorf("a refused push was charged: %v", err)
	}
}

func TestABurstIsOneSecondUnlessSet(t *testing.T) {
	q := newQuota(QuotaConfig{Pushes: 2.5})
	now := time.Unix(1000, 0)
	n := 0
	for q.push(now, 1) == nil {
		n++
	}
	if n != 3 {
		t.Errorf("%d pushes at once", n)
	}
}

func TestALargePushLeavesADebt(t *testing.T) {
	q := newQuota(QuotaConfig{Bytes: 1000})
	now := time.Unix(1000, 0)
	if err := q.push(now, 10_000); err != nil {
		t.Fatalf("a push above the bucket: %v", err)
	}
	var over *QuotaError
	if err := q.push(now, 1); !errors.As(err, &over) || over.Quota != "bytes" || over.After < 9*time.Second || over.After > 10*time.Second {
		t.Fatalf("in debt: %v", err)
	}
	if err := q.push(now.Add(over.After+time.Millisecond), 1); err != nil {
		t.Errorf("after the time told: %v", err)
	}
}

func TestOpenCallsAreBounded(t *testing.T) {
	q := newQuota(QuotaConfig{InFlight: 2})
	for range 2 {
		if err := q.open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.open(); !errors.Is(err, ErrQuota) {
		t.Fatalf("the third: %v", err)
	}
	q.close()
	if err := q.open(); err != nil {
		t.Errorf("after one ended: %v", err)
	}
	if free := newQuota(QuotaConfig{}); free.open() != nil || free.push(time.Now(), 1<<30) != nil {
		t.Error("zero is not unbounded")
	}
}

func TestAStreamWaitsForItsQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(QuotaConfig{Pushes: 1, PushBurst: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		for range 3 {
			if err := q.wait(ctx, time.Now, 1); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("three pushes took %s", took)
		}
		late, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		at := time.Now()
		if err := q.wait(late, time.Now, 1); !errors.Is(err, ErrQuota) || time.Since(at) != 0 {
			t.Errorf("a wait that cannot succeed: %v after %s", err, time.Since(at))
		}
	})
}

func TestRecentForgetsTheOldestOnly(t *testing.T) {
	r := newRecent[int, string](3)
	for i := range 10 {
		r.put(i, "x")
		for j := max(0, i-2); j <= i; j++ {
			if _, ok := r.get(j); !ok {
				t.Fatalf("after %d: %d is forgotten", i, j)
			}
		}
	}
	if len(r.young)+len(r.old) > 6 {
		t.Errorf("%d entries", len(r.young)+len(r.old))
	}
	r.forget(9)
	if _, ok := r.get(9); ok {
		t.Error("9 was not forgotten")
	}
	none := newRecent[int, int](0)
	if none.put(1, 1); len(none.young) != 0 {
		t.Error("size zero remembers")
	}
}
