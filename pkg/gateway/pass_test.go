package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/stream"
	"sluice/pkg/transport"
)

// Members come and go while pushes that pile up go out in chunks: whoever stays
// gets each of them once, and in order.
func TestWhoStaysGetsEveryPushOnce(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Address = AddressConfig{MaxRemembered: 1} })
	const stay, leave, pushes = 2 * passChunk, passChunk / 2, 40
	crowd := func(n int, name string) (all []*poller) {
		for i := range n {
			all = append(all, w.dial(fmt.Sprintf(`{"token":"%s%d","documents":["open-1"]}`, name, i)))
		}
		return all
	}
	staying, leaving := crowd(stay, "s"), crowd(leave, "l")
	var entries []stream.Entry
	for i := range pushes {
		p := bus.Push{Mid: id.Message(i + 1), Target: id.DocTarget("open-1"), Event: "e", Args: fmt.Appendf(nil, "[%d]", i)}
		body, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, stream.Entry{Target: p.Target, Mid: p.Mid, Body: body})
	}
	var done sync.WaitGroup
	done.Go(func() {
		for _, e := range entries {
			w.handle(e)
		}
	})
	for _, p := range leaving {
		p.send("41")
	}
	done.Wait()
	for n, p := range staying {
		for i := range pushes {
			if got, want := p.next(), fmt.Sprintf(`42["e",%d]`, i); got != want {
				t.Fatalf("client %d: got %q, want %q", n, got, want)
			}
		}
	}
}

func TestAWalkPassesNobodyOverAndNobodyTwice(t *testing.T) {
	target := id.DocTarget("d")
	for seed := range uint64(50) {
		s := newShard(1, NewMetrics(prometheus.NewRegistry()))
		rnd := rand.New(rand.NewPCG(seed, 0))
		conns := make([]*Connection, 400)
		for i := range conns {
			conns[i] = &Connection{id: id.Socket(i + 1), shard: s}
			if i < 300 {
				s.joinLocked(conns[i], target)
			}
		}
		visits, left := map[*Connection]int{}, map[*Connection]bool{}
		s.walkRoomLocked(s.roomLocked(target), func(c *Connection) {
			visits[c]++
			for range rnd.IntN(3) { // as others do while the lock is free
				other := conns[rnd.IntN(len(conns))]
				if rnd.IntN(2) == 0 {
					s.leaveLocked(other, target)
					left[other] = true
				} else {
					s.joinLocked(other, target)
				}
			}
		})
		for i, c := range conns {
			if visits[c] > 1 || i < 300 && !left[c] && visits[c] == 0 {
				t.Fatalf("seed %d: member %d was visited %d times", seed, i, visits[c])
			}
		}
	}
}

func TestOnlyPushesForTheSameReceiversShareAPass(t *testing.T) {
	with := func(p bus.Push, durable bool) job {
		if p.Target.Kind == 0 {
			p.Target = id.DocTarget("d")
		}
		made, err := newPush(&p, durable, nil)
		if err != nil {
			t.Fatal(err)
		}
		return job{push: made}
	}
	plain := with(bus.Push{}, true)
	spread := plain
	spread.slots = 4
	large := with(bus.Push{Args: make([]byte, maxPassBytes)}, true)
	for name, other := range map[string]struct {
		job  job
		jobs int
	}{
		"the same":          {plain, 2},
		"another document":  {with(bus.Push{Target: id.DocTarget("other")}, true), 1},
		"another namespace": {with(bus.Push{Namespace: "/a"}, true), 1},
		"ephemeral":         {with(bus.Push{}, false), 1},
		"several targets":   {with(bus.Push{Multi: true}, true), 1},
		"an exception":      {with(bus.Push{Except: []id.Socket{7}}, true), 1},
		"a locale":          {with(bus.Push{Locales: []string{"en"}}, true), 1},
		"spread":            {spread, 1},
		"large":             {large, 1},
	} {
		s := newShard(2, NewMetrics(prometheus.NewRegistry()))
		s.jobs <- other.job
		more := s.gather(plain)
		if len(s.pass.jobs) != other.jobs || (more == nil) != (other.jobs == 2) {
			t.Errorf("%s: %d jobs in a pass, another one follows: %v", name, len(s.pass.jobs), more != nil)
		}
		if more != nil && more.push != other.job.push {
			t.Errorf("%s: another job follows", name)
		}
	}
	s := newShard(2*maxPassJobs, NewMetrics(prometheus.NewRegistry()))
	for range 2 * maxPassJobs {
		s.jobs <- plain
	}
	if more := s.gather(plain); len(s.pass.jobs) != maxPassJobs || more != nil || len(s.jobs) != maxPassJobs+1 {
		t.Errorf("%d jobs in a pass, %d left", len(s.pass.jobs), len(s.jobs))
	}
}

// crowded makes a shard in which a document has so many members.
func crowded(members int, wait time.Duration) *shard {
	s := newShard(2*maxPassJobs, NewMetrics(prometheus.NewRegistry()))
	s.joinWait = wait
	for i := range members {
		s.joinLocked(&Connection{id: id.Socket(i + 1), shard: s}, id.DocTarget("d"))
	}
	return s
}

func TestPushToManyWaitsForTheNext(t *testing.T) {
	for _, test := range []struct {
		name    string
		members int
		wait    time.Duration
		every   time.Duration // a push comes
		jobs    int           // in the pass
		took    time.Duration
	}{
		{name: "many", members: manyReceivers, wait: time.Millisecond, every: 900 * time.Microsecond, jobs: 4, took: 3700 * time.Microsecond},
		{name: "too slow", members: manyReceivers, wait: time.Millisecond, every: 1100 * time.Microsecond, jobs: 1, took: time.Millisecond},
		{name: "few", members: manyReceivers - 1, wait: time.Millisecond, every: 100 * time.Microsecond, jobs: 1},
		{name: "switched off", members: manyReceivers, every: 100 * time.Microsecond, jobs: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := crowded(test.members, test.wait)
				p, err := newPush(&bus.Push{Target: id.DocTarget("d")}, true, nil)
				if err != nil {
					t.Fatal(err)
				}
				var pushes sync.WaitGroup
				defer pushes.Wait()
				pushes.Go(func() {
					for range 3 {
						time.Sleep(test.every)
						s.jobs <- job{push: p}
					}
				})
				from := time.Now()
				s.gather(job{push: p})
				if took := time.Since(from); len(s.pass.jobs) != test.jobs || took != test.took {
					t.Errorf("%d jobs after %v, want %d after %v", len(s.pass.jobs), took, test.jobs, test.took)
				}
			})
		})
	}
}

func TestPushForOthersEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := crowded(manyReceivers, 100*time.Millisecond)
		p, _ := newPush(&bus.Push{Target: id.DocTarget("d")}, true, nil)
		other, _ := newPush(&bus.Push{Target: id.UserTarget("u")}, true, nil)
		go func() {
			time.Sleep(time.Millisecond)
			s.jobs <- job{push: other}
		}()
		from := time.Now()
		more := s.gather(job{push: p})
		if more == nil || more.push != other || time.Since(from) != time.Millisecond {
			t.Errorf("%v after %v", more, time.Since(from))
		}
	})
}

// A worker whose queue never empties still looks after all else.
func TestAWorkerLeavesItsQueueBetweenPasses(t *testing.T) {
	const jobs = 1000
	s := newShard(jobs, NewMetrics(prometheus.NewRegistry()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for n := range jobs {
		p, err := newPush(&bus.Push{Mid: 1, Target: id.DocTarget(id.Doc(fmt.Sprint(n % 2))), Event: "e", Args: []byte("[1]")}, true, func(time.Duration) { cancel() })
		if err != nil {
			t.Fatal(err)
		}
		p.left.Add(1)
		s.jobs <- job{push: p}
	}
	s.run(ctx)
	if len(s.jobs) < jobs-100 { // which of the two is next is chance
		t.Errorf("%d of %d jobs were done after the end of the context", jobs-len(s.jobs), jobs)
	}
}
