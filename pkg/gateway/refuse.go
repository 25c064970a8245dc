package gateway

import (
	"encoding/json"
	"fmt"

	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

// refusal is why a CONNECT was refused: the label of its metric, and what the
// client is told.
type refusal struct {
	label   string
	message string
	data    any
}

// What a client is told does not say which part of a token was wrong.
var (
	refuseNamespace   = refusal{"namespace", "Invalid namespace", nil}
	refuseNamespaces  = refusal{"namespaces", "Too many namespaces", nil}
	refuseAuth        = refusal{"auth", "Not authorized", map[string]any{"code": "unauthorized"}}
	refuseUser        = refusal{"user_sockets", "Too many connections", map[string]any{"code": "user_sockets"}}
	refuseIdentity    = refusal{"identity", "Not authorized", map[string]any{"code": "identity"}}
	refuseCredentials = refusal{"credentials", "Bad credentials", map[string]any{"code": "credentials"}}
)

// closed returns the refusal of a namespace that the configuration closes.
func (g *Gateway) closed(ns string) (refusal, bool) {
	for _, r := range g.cfg.Refuse {
		if r.Namespace == ns {
			why := refusal{label: refusedByConfig, message: r.Message}
			if r.Data != "" {
				why.data = json.RawMessage(r.Data)
			}
			return why, true
		}
	}
	return refusal{}, false
}

// refusedByConfig is the label of namespaces that the configuration closes.
const refusedByConfig = "configured"

// refuse sends a connect error. The connection stays: the client may ask for
// another namespace until the connect timeout closes it.
func (c *Connection) refuse(ns string, why refusal) error {
	c.gw.m.connects.WithLabelValues(why.label).Inc()
	var data []byte
	if why.data != nil {
		data, _ = json.Marshal(why.data) // maps of strings and valid JSON always encode
	}
	f, err := c.refusalFrame(ns, why.message, data)
	if err != nil {
		return err
	}
	_ = c.send(f) // a client that left needs no refusal
	return nil
}

func (c *Connection) refusalFrame(ns, message string, data []byte) (*transport.Frame, error) {
	if c.form == formRev4 && message == refuseNamespace.message {
		return transport.NewFrame(socketio.AppendInvalidNamespace(nil, ns)), nil
	}
	if c.form != formMsgpack {
		return transport.NewFrame(socketio.AppendConnectError(nil, ns, message, data, c.revision())), nil
	}
	b, err := socketio.AppendMsgpackConnectError(nil, ns, message, data)
	if err != nil {
		return nil, fmt.Errorf("encode a connect error as MessagePack: %w", err)
	}
	return transport.NewBinaryFrame(b), nil
}
