package gateway

import (
	"fmt"
	"net/http"

	"sluice/pkg/reason"
	"sluice/pkg/socketio"
	"sluice/pkg/transport"
)

// old tells the generation that is connected unasked and puts its credentials
// into queries.
func (f wireForm) old() bool { return f == formRev4 || f == formOldPack }

// packs tells whether events are MessagePack.
func (f wireForm) packs() bool { return f == formMsgpack || f == formOldPack }

// oldForm is the form of a client of the older generation. The server speaks
// first there, so one with another parser says so in its handshake.
func oldForm(r *http.Request) wireForm {
	if r.URL.Query().Get("parser") == "msgpack" {
		return formOldPack
	}
	return formRev4
}

// connectedBytes is more than the answer to a CONNECT takes beside the namespace.
const connectedBytes = 32

// connectedFrame tells a client that it is connected to a namespace.
func (c *Connection) connectedFrame(ns string) *transport.Frame {
	switch c.form {
	case formMsgpack:
		return transport.NewBinaryFrame(socketio.AppendMsgpackConnect(nil, ns, c.id.String(), ""))
	case formOldPack:
		return transport.NewFrame(socketio.AppendMsgpackText(nil, socketio.Connect, ns))
	default:
		return transport.NewFrame(socketio.AppendConnect(make([]byte, 0, len(ns)+connectedBytes), ns, c.id.String(), c.revision()))
	}
}

// disconnectFrame tells a client that a namespace is no longer its.
func disconnectFrame(form wireForm, ns string) *transport.Frame {
	switch form {
	case formMsgpack:
		return transport.NewBinaryFrame(socketio.AppendMsgpackDisconnect(nil, ns))
	case formOldPack:
		return transport.NewFrame(socketio.AppendMsgpackText(nil, socketio.Disconnect, ns))
	default:
		return transport.NewFrame(socketio.AppendDisconnect(nil, ns))
	}
}

// refusalFrame tells a client why it is not connected to a namespace.
func (c *Connection) refusalFrame(ns string, why reason.Reason, message string, data []byte) (*transport.Frame, error) {
	switch {
	case c.form == formOldPack:
		return transport.NewFrame(socketio.AppendMsgpackTextError(nil, ns, message)), nil
	case c.form == formRev4 && why == reason.Namespace:
		return transport.NewFrame(socketio.AppendInvalidNamespace(nil, ns)), nil
	case c.form != formMsgpack:
		return transport.NewFrame(socketio.AppendConnectError(nil, ns, message, data, c.revision())), nil
	}
	b, err := socketio.AppendMsgpackConnectError(nil, ns, message, data)
	if err != nil {
		return nil, fmt.Errorf("encode a connect error as MessagePack: %w", err)
	}
	return transport.NewBinaryFrame(b), nil
}
