package socketio

import "testing"

func TestTypesHaveTheNamesOfTheProtocol(t *testing.T) {
	for typ, want := range map[Type]string{
		Connect: "connect", Disconnect: "disconnect", Event: "event", Ack: "ack",
		ConnectError: "connect_error", BinaryEvent: "binary_event", BinaryAck: "binary_ack", 7: "unknown",
	} {
		if typ.String() != want {
			t.Errorf("%d: %s", typ, typ)
		}
	}
}
