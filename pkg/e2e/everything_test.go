package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/pkg/component"
)

const (
	sockets   = 200
	documents = 50
)

// TestEverythingArrivesWhereItShould is the whole way: stock clients, half
// polling and half WebSocket, over a balancer without affinity, to two gateways;
// pushes of every kind, calls, upstream events with replies; and a gateway that
// restarts in the middle.
func TestEverythingArrivesWhereItShould(t *testing.T) {
	c := newCluster(t, 2, 1)
	tests := c.dial(c.apis[0])
	up := listen(t, tests)
	f := newFleet(t)
	people := connectAll(t, f, c.balancer.url(), up)

	t.Run("unicast to each socket", func(t *testing.T) { unicasts(t, f, tests, people) })
	t.Run("to each user", func(t *testing.T) { toUsers(t, f, tests, people) })
	t.Run("to each document, in order", func(t *testing.T) { toDocuments(t, f, tests, people, "doc") })
	t.Run("to all", func(t *testing.T) { toAll(t, f, tests, people) })
	t.Run("several targets, once", func(t *testing.T) { severalTargets(t, f, tests, people) })
	t.Run("calls", func(t *testing.T) { calls(t, f, tests, people) })
	t.Run("upstream with replies", func(t *testing.T) { upstream(t, f, people, up) })
	t.Run("a gateway restarts", func(t *testing.T) { restartOne(t, c, f, tests, people) })
	t.Run("look-ups", func(t *testing.T) { lookUps(t, tests, people) })
	t.Run("nothing is left behind", func(t *testing.T) { leaveAll(t, c, f, people, up) })
}

// person is one client and where it belongs: user i has two sockets, and each
// socket is in one document.
type person struct {
	*client
	user, doc string
}

func connectAll(t *testing.T, f *fleet, url string, up *upEvents) []person {
	t.Helper()
	people := make([]person, sockets)
	for i := range people {
		user, doc := fmt.Sprintf("user-%03d", i/2), fmt.Sprintf("doc-%02d", i%documents)
		transports := []string{"polling"}
		if i%2 == 0 {
			transports = []string{"websocket"}
		}
		if i%8 == 1 { // some begin with polling and upgrade, over the balancer
			transports = []string{"polling", "websocket"}
		}
		people[i] = person{user: user, doc: doc, client: f.open(fmt.Sprintf("c%03d", i), url, map[string]any{
			"transports": transports,
			"auth":       map[string]any{"token": token(t, user, doc), "documents": []string{doc}},
		})}
	}
	f.wait(time.Minute, "all clients to connect", func() bool {
		return !slices.ContainsFunc(people, func(p person) bool { return !p.connected })
	})
	f.wait(time.Minute, "upgrades over the balancer", func() bool {
		for i := 1; i < sockets; i += 8 {
			if people[i].transport != "websocket" {
				return false
			}
		}
		return true
	})
	up.wait(t, 30*time.Second, "a Connect event for each", func() bool {
		return !slices.ContainsFunc(people, func(p person) bool { return up.count(component.Connect, p.sid, "") != 1 })
	})
	return people
}

func push(t *testing.T, c *component.Client, p component.Push) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := c.Push(ctx, p); err != nil {
		t.Fatal(err)
	}
}

func unicasts(t *testing.T, f *fleet, c *component.Client, people []person) {
	for i, p := range people {
		push(t, c, component.Push{Sockets: []string{p.sid}, Event: "unicast", Args: []any{i}})
	}
	for i, p := range people {
		f.expect(p.client, 30*time.Second, "unicast", fmt.Sprint(i))
	}
}

func toUsers(t *testing.T, f *fleet, c *component.Client, people []person) {
	for i := 0; i < sockets; i += 2 {
		push(t, c, component.Push{Users: []string{people[i].user}, Event: "user", Args: []any{people[i].user}})
	}
	for _, p := range people {
		f.expect(p.client, 30*time.Second, "user", p.user)
	}
}

func toDocuments(t *testing.T, f *fleet, c *component.Client, people []person, name string) {
	const each = 5
	for n := range each {
		for d := range documents {
			doc := fmt.Sprintf("doc-%02d", d)
			push(t, c, component.Push{Documents: []string{doc}, Event: name, Args: []any{fmt.Sprintf("%s/%d", doc, n)}})
		}
	}
	for _, p := range people {
		var want []string
		for n := range each {
			want = append(want, fmt.Sprintf("%s/%d", p.doc, n))
		}
		f.expect(p.client, 30*time.Second, name, want...)
	}
}

func toAll(t *testing.T, f *fleet, c *component.Client, people []person) {
	except := people[3].sid
	push(t, c, component.Push{All: true, Except: []string{except}, Event: "all", Args: []any{"hello", []byte{1, 2, 3}}})
	push(t, c, component.Push{All: true, Event: "end", Args: []any{"all"}})
	for _, p := range people {
		f.expect(p.client, 30*time.Second, "end", "all")
		if p.sid == except {
			f.expect(p.client, time.Second, "all")
			continue
		}
		f.expect(p.client, time.Second, "all", "hello")
	}
	f.look(func() {
		binary := people[0].events[slices.IndexFunc(people[0].events, func(e event) bool { return e.Name == "all" })].Args[1]
		if got := fmt.Sprint(binary); got != "map[$binary:AQID]" {
			t.Errorf("binary argument is %s", got)
		}
	})
}

func severalTargets(t *testing.T, f *fleet, c *component.Client, people []person) {
	p := people[0]
	push(t, c, component.Push{
		Sockets: []string{p.sid}, Users: []string{p.user}, Documents: []string{p.doc}, Event: "several", Args: []any{"once"},
	})
	push(t, c, component.Push{Sockets: []string{p.sid}, Event: "end", Args: []any{"several"}})
	f.expect(p.client, 30*time.Second, "several", "once")
	for _, other := range people {
		if other.user == p.user || other.doc == p.doc {
			f.expect(other.client, 30*time.Second, "several", "once")
		} else {
			f.expect(other.client, time.Second, "several")
		}
	}
	f.expect(p.client, 30*time.Second, "several", "once")
}

func calls(t *testing.T, f *fleet, c *component.Client, people []person) {
	var all sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i, p := range people {
		limit <- struct{}{}
		all.Go(func() {
			defer func() { <-limit }()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			results, err := c.Call(ctx, component.Call{Socket: p.sid, Event: "question", Args: []any{i}, Timeout: 15 * time.Second})
			if err != nil || len(results) != 1 || results[0].Outcome != component.Acked {
				t.Errorf("call %s: %+v, %v", p.id, results, err)
				return
			}
			var word string
			var n int
			if err := results[0].Payload.Bind(&word, &n); err != nil || word != "got" || n != i {
				t.Errorf("call %s: answered %q %d, %v", p.id, word, n, err)
			}
		})
	}
	all.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	results, err := c.Call(ctx, component.Call{User: people[0].user, Event: "question", Args: []any{"user"}, Timeout: 15 * time.Second})
	var answered []string
	for _, r := range results { // one that a client has given up may be there until its heartbeat ends
		if r.Outcome == component.Acked {
			answered = append(answered, r.Socket)
		}
	}
	slices.Sort(answered)
	want := []string{people[0].sid, people[1].sid}
	slices.Sort(want)
	if err != nil || !slices.Equal(answered, want) {
		f.look(func() {
			t.Errorf("call of a user with two sockets, who left with %v and %v: %+v, %v", people[0].reasons, people[1].reasons, results, err)
		})
	}
}

func upstream(t *testing.T, f *fleet, people []person, up *upEvents) {
	for round := range 3 {
		for i, p := range people {
			f.emit(p.id, "say", 100+round, fmt.Sprintf("%s/%d", p.id, round), i)
		}
	}
	for i, p := range people {
		f.wait(30*time.Second, p.id+" to be answered", func() bool {
			for round := range 3 {
				a := p.acks[100+round]
				if len(a) != 2 || a[0] != fmt.Sprintf("%s/%d", p.id, round) || fmt.Sprint(a[1]) != fmt.Sprint(i) {
					return false
				}
			}
			return true
		})
	}
	for _, p := range people {
		want := []string{p.id + "/0", p.id + "/1", p.id + "/2"}
		if got := up.said(p.sid); !slices.Equal(got, want) {
			t.Errorf("component heard %v of %s, want %v", got, p.id, want)
		}
	}
}

// restartOne sends away the clients of one gateway and takes it back; then all
// of it still works.
func restartOne(t *testing.T, c *cluster, f *fleet, tests *component.Client, people []person) {
	g := c.gateways[0]
	c.balancer.use(t, c.gateways[1].address)
	if err := g.stop(30 * time.Second); err != nil {
		t.Fatalf("gateway did not leave well: %v", err)
	}
	f.wait(time.Minute, "all clients to come back", func() bool {
		return !slices.ContainsFunc(people, func(p person) bool { return !p.connected })
	})
	moved := 0
	f.look(func() {
		for _, p := range people {
			if p.connects > 1 {
				moved++
			}
		}
	})
	if moved == 0 || moved == sockets {
		t.Errorf("%d of %d clients moved", moved, sockets)
	}
	c.restart(g)
	c.balancer.use(t, c.addresses()...)
	toDocuments(t, f, tests, people, "after")
}

func lookUps(t *testing.T, c *component.Client, people []person) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for d := range documents {
		doc := fmt.Sprintf("doc-%02d", d)
		want := map[string]bool{}
		for _, p := range people {
			if p.doc == doc {
				want[p.sid] = true
			}
		}
		eventually(t, 30*time.Second, "members of "+doc, func() bool {
			got := 0
			for s, err := range c.Sockets(ctx, component.List{Of: component.Of{Document: doc}}) {
				if err != nil {
					t.Fatal(err)
				}
				if !want[s.ID] {
					return false
				}
				got++
			}
			return got == len(want)
		})
	}
}

func leaveAll(t *testing.T, c *cluster, f *fleet, people []person, up *upEvents) {
	for _, p := range people {
		f.close(p.id)
	}
	up.wait(t, 30*time.Second, "a Disconnect event for each", func() bool {
		return !slices.ContainsFunc(people, func(p person) bool { return up.count(component.Disconnect, p.sid, "") != 1 })
	})
	for _, pattern := range []string{"user:clients:*", "guid:clients:*", "client:*", "guid:nodes:*"} {
		eventually(t, 30*time.Second, "no keys of "+pattern, func() bool { return len(c.back.keys(t, pattern)) == 0 })
	}
}
