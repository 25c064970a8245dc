package socketio

// ParseMsgpack reads one packet of the MessagePack form. Data is the payload
// converted to JSON, with placeholders for the attachments that are returned
// beside it; a packet that has any is of type BINARY_EVENT or BINARY_ACK, as if
// it had come in the text form. Nothing aliases the frame.
func ParseMsgpack(frame []byte, rev Revision, lim Limits) (Packet, [][]byte, error) {
	return Packet{}, nil, ErrMsgpack
}

// AppendMsgpackEvent appends the MessagePack form of [AppendEvent]: one frame with
// the attachments in place. It fails when args is not a JSON array or a
// placeholder points nowhere.
func AppendMsgpackEvent(dst []byte, ns, name string, args []byte, attachments [][]byte, hasID bool, id uint64, offset string) ([]byte, error) {
	return dst, ErrMsgpack
}

// AppendMsgpackAck appends the MessagePack form of [AppendAck].
func AppendMsgpackAck(dst []byte, ns string, id uint64, args []byte, attachments [][]byte) ([]byte, error) {
	return dst, ErrMsgpack
}

// AppendMsgpackConnect appends the MessagePack form of [AppendConnect], or of
// [AppendConnectResumable] when pid is not "".
func AppendMsgpackConnect(dst []byte, ns, sid, pid string) []byte { return dst }

// AppendMsgpackConnectError appends the MessagePack form of [AppendConnectError]
// for Rev5. It fails when data is neither nil nor JSON.
func AppendMsgpackConnectError(dst []byte, ns, message string, data []byte) ([]byte, error) {
	return dst, ErrMsgpack
}

// AppendMsgpackDisconnect appends the MessagePack form of [AppendDisconnect].
func AppendMsgpackDisconnect(dst []byte, ns string) []byte { return dst }
