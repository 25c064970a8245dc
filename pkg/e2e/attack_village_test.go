package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/pkg/component"
)

// How many honest clients there are, what they are in, and how much is said.
const (
	villagers    = 1000
	villageDocs  = 20
	pollEvery    = 10                     // one of so many polls, the others have a WebSocket
	talkEvery    = 100 * time.Millisecond // between two pushes, to one document after the other
	speakEvery   = 4 * time.Second        // between two events of one client
	homes        = 8                      // addresses that they come from
	slowTalkSize = 50_000
)

// village is the honest clients and what has been said to them.
type village struct {
	client *component.Client
	heard  *audience
	people []*villager
	ctx    context.Context // of all that the village starts
	stop   context.CancelFunc
	work   sync.WaitGroup

	talking  atomic.Bool
	said     [villageDocs]atomic.Int64 // the number of the last push
	troubles troubles
}

// troubles are what went wrong, the first few.
type troubles struct {
	mu   sync.Mutex // guards list
	list []string
}

func (w *troubles) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) < 20 {
		w.list = append(w.list, fmt.Sprintf(format, args...))
	}
}

func (w *troubles) show(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, trouble := range w.list {
		t.Error(trouble)
	}
}

// villager is one honest client. Its documents' pushes are numbered, and so are
// the events that it sends; every event is acknowledged with its number.
type villager struct {
	v    *village
	n    int
	doc  int
	sid  string
	line line

	heard atomic.Int64 // the last number from its document
	spoke int64        // the last number that it sent; the speaker's
	acked chan int64   // numbers that came back
}

// line is how a villager is connected.
type line interface {
	// next returns the next message; it answers pings by itself.
	next() (string, error)
	say(message string) error
}

// newVillage connects everybody and lets the talk begin.
func newVillage(t *testing.T, client *component.Client, addr string) *village {
	t.Helper()
	v := &village{client: client, heard: &audience{spoken: make(map[string]int64), seen: make(map[string]bool)}}
	v.ctx, v.stop = context.WithCancel(context.Background())
	t.Cleanup(func() { v.stop(); v.work.Wait() })
	v.heard.troubles = &v.troubles
	v.work.Go(func() {
		if err := client.Subscribe(v.ctx, v.heard.handle); err != nil {
			v.troubles.add("subscription: %v", err)
		}
	})
	v.people = make([]*villager, villagers)
	var moving sync.WaitGroup
	room := make(chan struct{}, 40) // who move in at once
	for i := range v.people {
		p := &villager{v: v, n: i, doc: i % villageDocs, acked: make(chan int64, 4)}
		v.people[i] = p
		grants := fmt.Sprintf("village-%d", p.doc)
		auth := fmt.Sprintf(`{"token":%q,"documents":[%q]}`, token(t, fmt.Sprintf("villager-%d", i), grants), grants)
		moving.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			home := &party{addr: addr, source: net.IPv4(127, 0, 0, 10+byte(i%homes))}
			if err := p.connect(home, auth); err != nil {
				v.troubles.add("villager %d: %v", p.n, err)
			}
		})
	}
	moving.Wait()
	v.troubles.show(t)
	if t.Failed() {
		t.FailNow()
	}
	v.talking.Store(true)
	for _, p := range v.people {
		v.work.Go(p.listen)
		v.work.Go(p.speak)
	}
	v.work.Go(v.talk)
	return v
}

func (p *villager) connect(home *party, auth string) error {
	var err error
	if p.n%pollEvery == 0 {
		p.line, err = openPolling(p.v.ctx, home)
	} else {
		p.line, err = openSocket(p.v.ctx, home)
	}
	if err != nil {
		return err
	}
	if err := p.line.say("40" + auth); err != nil {
		return err
	}
	for {
		message, err := p.line.next()
		if err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(message, `40{"sid":"`); ok {
			p.sid, _, _ = strings.Cut(rest, `"`)
			return nil
		}
	}
}

// listen checks what comes until the village ends.
func (p *villager) listen() {
	for {
		message, err := p.line.next()
		if p.v.ctx.Err() != nil {
			return
		}
		if err != nil {
			p.v.troubles.add("villager %d lost its connection: %v", p.n, err)
			return
		}
		p.hear(message)
	}
}

func (p *villager) hear(message string) {
	if rest, ok := strings.CutPrefix(message, `42["said",`); ok {
		var n int64
		if _, err := fmt.Sscanf(rest, "%d]", &n); err != nil || n != p.heard.Load()+1 {
			p.v.troubles.add("villager %d hears %.40q after %d", p.n, message, p.heard.Load())
		}
		p.heard.Store(n)
		return
	}
	var id, n int64
	if _, err := fmt.Sscanf(message, "43%d[%d]", &id, &n); err != nil || id != n {
		p.v.troubles.add("villager %d hears %.80q", p.n, message)
		return
	}
	select {
	case p.acked <- n:
	default:
		p.v.troubles.add("villager %d hears acknowledgements again and again", p.n)
	}
}

// speak sends an event, waits for its acknowledgement, and pauses.
func (p *villager) speak() {
	time.Sleep(rand.N(speakEvery))
	for p.v.talking.Load() {
		p.spoke++
		if err := p.line.say(fmt.Sprintf(`42%d["spoken",%d]`, p.spoke, p.spoke)); err != nil {
			p.v.troubles.add("villager %d cannot speak: %v", p.n, err)
			return
		}
		select {
		case n := <-p.acked:
			if n != p.spoke {
				p.v.troubles.add("villager %d said %d and hears that %d arrived", p.n, p.spoke, n)
			}
		case <-time.After(enough):
			p.v.troubles.add("villager %d waits for the answer to %d", p.n, p.spoke)
			return
		case <-p.v.ctx.Done():
			return
		}
		select {
		case <-time.After(speakEvery/2 + rand.N(speakEvery)):
		case <-p.v.ctx.Done():
			return
		}
	}
}

// talk pushes to one document after the other.
func (v *village) talk() {
	tick := time.NewTicker(talkEvery)
	defer tick.Stop()
	for i := 0; v.talking.Load(); i++ {
		doc := i % villageDocs
		n := v.said[doc].Add(1)
		if err := v.push(fmt.Sprintf("village-%d", doc), "said", n); err != nil {
			v.troubles.add("push %d to %d: %v", n, doc, err)
			return
		}
		select {
		case <-tick.C:
		case <-v.ctx.Done():
			return
		}
	}
}

func (v *village) push(doc, event string, arg any) error {
	ctx, cancel := context.WithTimeout(v.ctx, enough)
	defer cancel()
	_, err := v.client.Push(ctx, component.Push{Documents: []string{doc}, Event: event, Args: []any{arg}})
	if v.ctx.Err() != nil {
		return nil
	}
	return err
}

// slowTalk pushes much to those who take nothing.
func (v *village) slowTalk(t *testing.T) {
	t.Helper()
	much := strings.Repeat("much ", slowTalkSize/5)
	v.work.Go(func() {
		for v.talking.Load() && v.ctx.Err() == nil {
			if err := v.push(slowDoc, "much", much); err != nil {
				v.troubles.add("push to the slow: %v", err)
				return
			}
			time.Sleep(talkEvery)
		}
	})
}

// settle waits until everybody has spoken and heard for a while.
func (v *village) settle(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "the village to be in full talk", func() bool {
		for _, p := range v.people {
			if p.heard.Load() < 2 {
				return false
			}
		}
		return v.heard.total() > villagers
	})
}

// leave ends the talk, and checks that everything that was said was heard, by
// everybody who should and once.
func (v *village) leave(t *testing.T) {
	t.Helper()
	v.talking.Store(false)
	eventually(t, enough, "everybody to have heard everything", func() bool {
		for _, p := range v.people {
			if p.heard.Load() != v.said[p.doc].Load() {
				return false
			}
		}
		return true
	})
	v.troubles.show(t)
	ups, downs := v.heard.total(), int64(0)
	for _, p := range v.people {
		downs += p.heard.Load()
	}
	t.Logf("%d honest clients heard %d pushes and had %d events acknowledged", len(v.people), downs, ups)
}

// audience is what the component has heard.
type audience struct {
	troubles *troubles

	mu     sync.Mutex // guards what follows
	spoken map[string]int64
	seen   map[string]bool
}

var errNotSpoken = errors.New("not an event of the village")

// handle checks that the events of a socket come in order with none missing, and
// acknowledges each. An event that comes again has the mid of the first time.
func (c *audience) handle(ctx context.Context, e *component.Event) error {
	if e.Kind() != component.Message || e.Name() != "spoken" {
		return nil // what attackers say is not a component's trouble
	}
	var args []int64
	if err := json.Unmarshal(e.Args(), &args); err != nil || len(args) != 1 {
		return errNotSpoken
	}
	c.mu.Lock()
	if !c.seen[e.Mid()] {
		c.seen[e.Mid()] = true
		if last := c.spoken[e.Socket()]; args[0] != last+1 {
			c.troubles.add("the component hears %d of %s after %d", args[0], e.User(), last)
		}
		c.spoken[e.Socket()] = args[0]
	}
	c.mu.Unlock()
	return e.Reply(ctx, args[0])
}

func (c *audience) total() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n int64
	for _, last := range c.spoken {
		n += last
	}
	return n
}
