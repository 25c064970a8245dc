package gateway

import (
	"math/rand/v2"
	"time"

	"sluice/pkg/reason"
)

// wait is the time that a client is told for a reason, another one each time.
func wait(why reason.Reason) time.Duration { return why.Wait(rand.Float64()) }

// refuse sends a connect error. The connection stays: the client may ask for
// another namespace until the connect timeout closes it. What a client is told
// does not say which part of a token was wrong.
func (c *Connection) refuse(ns string, why reason.Reason) error {
	e, _ := reason.Of(why)
	var data []byte
	if !e.Bare {
		data = append(why.AppendAdvice([]byte{'{'}, wait(why)), '}')
	}
	return c.refuseWith(ns, why, e.Connect, data)
}

// refuseClosed refuses a namespace that the configuration closes, in its words.
func (c *Connection) refuseClosed(closed *RefuseConfig) error {
	var data []byte
	if closed.Data != "" {
		data = []byte(closed.Data)
	}
	return c.refuseWith(closed.Namespace, reason.Configured, closed.Message, data)
}

func (c *Connection) refuseWith(ns string, why reason.Reason, message string, data []byte) error {
	c.shard.gw.m.connects.WithLabelValues(string(why)).Inc()
	f, err := c.refusalFrame(ns, why, message, data)
	if err != nil {
		return err
	}
	_ = c.send(f) // a client that left needs no refusal
	return nil
}

// closed returns the refusal of a namespace that the configuration closes.
func (g *Gateway) closed(ns string) *RefuseConfig {
	for i := range g.cfg.Refuse {
		if g.cfg.Refuse[i].Namespace == ns {
			return &g.cfg.Refuse[i]
		}
	}
	return nil
}
