package gateway

import (
	"fmt"
	"sync"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/session"
)

// uplink is what one upstream event needs until Kafka's producer has taken it.
// It is used again for the next one: this is done for every message of every
// client, and nothing of it may become garbage.
type uplink struct {
	client session.Client
	up     bus.Up
	rec    bus.Record // here and not in a frame: it alone would double a stack
	args   []byte
	body   []byte
	trace  []byte
	stamps [1]bus.Stamp
}

var uplinks = sync.Pool{New: func() any { return new(uplink) }}

// maxKeptUplink bounds the buffers that are kept.
const maxKeptUplink = 4096

// free gives u back. It keeps no client and no payload.
func (u *uplink) free() {
	docs := u.client.Docs
	clear(docs)
	u.client = session.Client{Docs: docs[:0]}
	u.up, u.rec, u.stamps[0] = bus.Up{}, bus.Record{}, bus.Stamp{}
	if cap(u.args) > maxKeptUplink || cap(u.body) > maxKeptUplink {
		u.args, u.body = nil, nil
	}
	uplinks.Put(u)
}

// upEvent is a kind of upstream event: an index into its metrics.
type upEvent int

const (
	eventConnect upEvent = iota
	eventMessage
	eventDisconnect
	upEvents
)

var upEventNames = [upEvents]bus.Event{bus.EventConnect, bus.EventMessage, bus.EventDisconnect}

// up publishes an event about a connection. An error means that it was not
// taken, and done is not called.
func (g *Gateway) up(s id.Socket, c *session.Client, event upEvent, up *bus.Up, trace string, done func(error)) error {
	u := uplinks.Get().(*uplink)
	defer u.free()
	return g.upWith(u, s, c, event, up, trace, done)
}

// upWith is up for those who have an uplink.
func (g *Gateway) upWith(u *uplink, s id.Socket, c *session.Client, event upEvent, up *bus.Up, trace string, done func(error)) error {
	docs := u.client.Docs
	u.client, u.up = *c, *up
	err := g.send(u, s, event, trace, done)
	u.client.Docs = docs // the others are the caller's
	return err
}

// send publishes u. Whoever does not say what is done when it is settled has
// failures counted.
func (g *Gateway) send(u *uplink, s id.Socket, event upEvent, trace string, done func(error)) error {
	mid, err := g.deps.IDs.Message()
	if err != nil {
		return fmt.Errorf("mint a message id: %w", err)
	}
	if u.body, err = u.up.Append(u.body[:0]); err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	if trace == "" {
		u.trace = g.appendTraceparent(u.trace[:0], mid)
	}
	if done == nil {
		done = g.countFailed
	}
	g.m.upBy[event].Inc()
	u.stamps[0] = bus.Stamp{Stage: "gateway", At: g.now()}
	u.rec.Topic, u.rec.BySocket, u.rec.Body = g.deps.UpTopic, true, u.body
	h := &u.rec.Headers
	h.Mid, h.Socket, h.User = mid, s, u.client.User
	h.Event, h.Operator = upEventNames[event], bus.OperatorInner
	h.Locale, h.AuthType, h.ClientVersion = u.client.Locale, u.client.AuthType, u.client.ClientVersion
	h.ServerVersion, h.TraceID, h.Trace, h.Stamps = g.deps.Version, trace, u.trace, u.stamps[:]
	return g.deps.Uplink.EnqueueFrom(&u.rec, done)
}

func (g *Gateway) countFailed(err error) {
	if err != nil {
		g.m.upFailed.Inc()
	}
}
