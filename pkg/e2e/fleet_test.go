package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// fleet is a process of stock Socket.IO clients.
type fleet struct {
	t     *testing.T
	in    io.WriteCloser
	out   sync.Mutex // guards in
	ended chan struct{}

	mu      sync.Mutex // guards what follows
	changed chan struct{}
	clients map[string]*client
	ready   bool
}

// client is what one stock client has seen. Guarded by fleet.mu.
type client struct {
	id        string
	sid       string
	transport string
	connected bool
	connects  int
	reasons   []string
	refused   []string
	events    []event
	acks      map[int][]any
}

type event struct {
	Name string
	Args []any
}

type report struct {
	ID, Type, Sid, Transport, Reason, Message, Event string
	Args                                             []any
	Ack                                              int
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	cmd := exec.Command("node", "clients/clients.mjs")
	in, out := startTalking(t, cmd)
	f := &fleet{t: t, in: in, ended: make(chan struct{}), changed: make(chan struct{}), clients: map[string]*client{}}
	go f.read(out)
	t.Cleanup(func() {
		_ = in.Close() // its clients leave and it ends
		<-f.ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("clients: %v", err)
		}
	})
	f.wait(time.Minute, "the clients' process to start", func() bool { return f.ready })
	return f
}

func (f *fleet) read(out io.Reader) {
	defer close(f.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			f.t.Errorf("clients: %v: %s", err, lines.Text())
			continue
		}
		f.take(r)
	}
}

func (f *fleet) take(r report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Type == "ready" {
		f.ready = true
	}
	if c := f.clients[r.ID]; c != nil {
		c.take(r)
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (c *client) take(r report) {
	switch r.Type {
	case "connect":
		c.connected, c.sid, c.transport = true, r.Sid, r.Transport
		c.connects++
	case "upgrade":
		c.transport = r.Transport
	case "disconnect":
		c.connected = false
		c.reasons = append(c.reasons, r.Reason)
	case "error":
		c.refused = append(c.refused, r.Message)
	case "event":
		c.events = append(c.events, event{r.Event, r.Args})
	case "ack":
		c.acks[r.Ack] = r.Args
	}
}

// send gives the clients' process one command.
func (f *fleet) send(command map[string]any) {
	f.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		f.t.Fatal(err)
	}
	f.out.Lock()
	defer f.out.Unlock()
	if _, err := f.in.Write(append(line, '\n')); err != nil {
		f.t.Fatal(err)
	}
}

// open starts a client.
func (f *fleet) open(id, url string, opts map[string]any) *client {
	f.t.Helper()
	c := &client{id: id, acks: map[int][]any{}}
	f.mu.Lock()
	f.clients[id] = c
	f.mu.Unlock()
	f.send(map[string]any{"op": "open", "id": id, "url": url, "opts": opts})
	return c
}

func (f *fleet) emit(id, name string, ack int, args ...any) {
	f.t.Helper()
	command := map[string]any{"op": "emit", "id": id, "event": name, "args": args}
	if ack > 0 {
		command["ack"] = ack
	}
	f.send(command)
}

func (f *fleet) close(id string) {
	f.t.Helper()
	f.send(map[string]any{"op": "close", "id": id})
}

// wait returns when ok holds, which is asked under the lock after each report.
func (f *fleet) wait(within time.Duration, what string, ok func() bool) {
	f.t.Helper()
	late := time.After(within)
	for {
		f.mu.Lock()
		done, changed := ok(), f.changed
		f.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			f.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// look runs do under the lock.
func (f *fleet) look(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// got lists the first arguments of the events of a name, as text.
func (c *client) got(name string) []string {
	var all []string
	for _, e := range c.events {
		if e.Name == name && len(e.Args) > 0 {
			all = append(all, fmt.Sprint(e.Args[0]))
		}
	}
	return all
}

// expect waits until the client got exactly the wanted events of a name, in
// this order.
func (f *fleet) expect(c *client, within time.Duration, name string, want ...string) {
	f.t.Helper()
	f.wait(within, fmt.Sprintf("%s to get %s %v", c.id, name, want), func() bool { return slices.Equal(c.got(name), want) })
}
