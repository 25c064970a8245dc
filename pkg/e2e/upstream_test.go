package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"sluice/pkg/component"
)

// upEvents is what a component has heard, each event once: a component that
// wants exactly once tells repetitions by their mid.
type upEvents struct {
	mu      sync.Mutex // guards what follows
	changed chan struct{}
	seen    map[string]bool
	events  []heard
}

type heard struct {
	kind         component.Kind
	socket, name string
	text         string
}

// listen subscribes until the end of the test, and answers what wants an
// answer with its own arguments.
func listen(t *testing.T, c *component.Client) *upEvents {
	t.Helper()
	u := &upEvents{changed: make(chan struct{}), seen: map[string]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Subscribe(ctx, u.handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("subscription: %v", err)
		}
	})
	return u
}

func (u *upEvents) handle(ctx context.Context, e *component.Event) error {
	var text string
	if e.Kind() == component.Message {
		if err := e.Bind(&text); err != nil {
			return err
		}
	}
	u.mu.Lock()
	if !u.seen[e.Mid()] {
		u.seen[e.Mid()] = true
		u.events = append(u.events, heard{e.Kind(), e.Socket(), e.Name(), text})
	}
	close(u.changed)
	u.changed = make(chan struct{})
	u.mu.Unlock()
	if !e.WantsReply() {
		return nil
	}
	var second any
	if err := e.Bind(&text, &second); err != nil {
		return err
	}
	return e.Reply(ctx, text, second)
}

func (u *upEvents) count(kind component.Kind, socket, name string) int {
	n := 0
	for _, e := range u.events {
		if e.kind == kind && e.socket == socket && (name == "" || e.name == name) {
			n++
		}
	}
	return n
}

// said lists what a socket said, in the order heard.
func (u *upEvents) said(socket string) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []string
	for _, e := range u.events {
		if e.kind == component.Message && e.socket == socket {
			all = append(all, e.text)
		}
	}
	return all
}

func (u *upEvents) wait(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	late := time.After(within)
	for {
		u.mu.Lock()
		done, changed := ok(), u.changed
		u.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
