package gateway

import (
	"fmt"
	"strings"

	"sluice/pkg/bus"
	"sluice/pkg/id"
	"sluice/pkg/session"
	"sluice/pkg/socketio"
)

// reservedPrefix marks the events between a client and the gateway itself.
const reservedPrefix = "sluice:"

// handleEvent passes a client's event up, or answers it when it is for the
// gateway itself.
func (c *Connection) handleEvent(p socketio.Packet, attachments [][]byte) error {
	switch in, over := c.standing(p.Namespace); {
	case over:
		return nil // sent before its client heard of the end
	case !in:
		return fmt.Errorf("%w: event to a namespace not joined", errProtocol)
	}
	name, args, err := socketio.EventArgs(p.Data, c.shard.gw.packetLimits)
	if err != nil {
		return err
	}
	if strings.HasPrefix(name, reservedPrefix) {
		return c.handleOwn(name, p, args)
	}
	c.pass(p, name, args, attachments)
	return nil
}

// pass hands an event to Kafka. The client hears of it when Kafka cannot take
// it: an acknowledgement never comes before the component's.
func (c *Connection) pass(p socketio.Packet, name string, args []byte, attachments [][]byte) {
	g := c.shard.gw
	client := c.client()
	up := bus.Up{
		Namespace: p.Namespace, Event: name, Args: args, Attachments: attachments,
		HasAck: p.HasID, AckID: p.ID, Docs: client.Docs, Replica: g.deps.Replica, Boot: g.deps.Boot,
	}
	back := busyNotice{to: c.ref(), ns: p.Namespace, event: name, hasAck: p.HasID, ack: p.ID}
	err := g.up(c.id, &client, bus.EventMessage, &up, "", func(err error) {
		if err != nil {
			g.m.upFailed.Inc()
			g.tellBusy(back)
		}
	})
	if err != nil {
		g.m.upFailed.Inc()
		g.tellBusy(back)
	}
}

// up publishes one upstream event. An error means that it was not taken, and
// done is not called.
func (g *Gateway) up(s id.Socket, c *session.Client, event bus.Event, up *bus.Up, trace string, done func(error)) error {
	mid, err := g.deps.IDs.Message()
	if err != nil {
		return fmt.Errorf("mint a message id: %w", err)
	}
	body, err := up.Append(nil)
	if err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	if trace == "" {
		trace = g.traceparent(mid)
	}
	if done == nil {
		done = func(err error) {
			if err != nil {
				g.m.upFailed.Inc()
			}
		}
	}
	g.m.up.WithLabelValues(string(event)).Inc()
	return g.deps.Uplink.Enqueue(bus.Record{
		Topic: g.deps.UpTopic,
		Key:   s.String(),
		Headers: bus.Headers{
			Mid: mid, Socket: s, User: c.User, Event: event, Operator: bus.OperatorInner,
			Locale: c.Locale, AuthType: c.AuthType, ClientVersion: c.ClientVersion,
			ServerVersion: g.deps.Version, TraceID: trace,
			Stamps: []bus.Stamp{{Stage: "gateway", At: g.now()}},
		},
		Body: body,
	}, done)
}
