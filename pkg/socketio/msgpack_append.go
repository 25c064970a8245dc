package socketio

// AppendMsgpackEvent appends the MessagePack form of [AppendEvent]: one frame with
// the attachments in place. It fails when args is not a JSON array, or a
// placeholder in it points at no attachment; dst is then returned as it was.
func AppendMsgpackEvent(dst []byte, ns, name string, args []byte, attachments [][]byte, hasID bool, id uint64, offset string) ([]byte, error) {
	p, err := packArgs(args, attachments)
	if err != nil {
		return dst, err
	}
	out := appendFields(dst, Event, fieldsOf(hasID)+1)
	n := p.sizes[0] + 1
	if offset != "" {
		n++
	}
	out = appendArrayHeader(append(out, keyData...), n)
	out = appendStr(out, name)
	out = p.list(out)
	if offset != "" {
		out = appendStr(out, offset)
	}
	if hasID {
		out = appendUint(append(out, keyID...), id)
	}
	return appendNamespace(out, ns), nil
}

// AppendMsgpackAck appends the MessagePack form of [AppendAck]. It fails as
// AppendMsgpackEvent does.
func AppendMsgpackAck(dst []byte, ns string, id uint64, args []byte, attachments [][]byte) ([]byte, error) {
	p, err := packArgs(args, attachments)
	if err != nil {
		return dst, err
	}
	out := appendFields(dst, Ack, fieldsOf(true)+1)
	out = appendArrayHeader(append(out, keyData...), p.sizes[0])
	out = p.list(out)
	out = appendUint(append(out, keyID...), id)
	return appendNamespace(out, ns), nil
}

// AppendMsgpackConnect appends the MessagePack form of [AppendConnect] for Rev5,
// or of [AppendConnectResumable] when pid is not "".
func AppendMsgpackConnect(dst []byte, ns, sid, pid string) []byte {
	dst = appendFields(dst, Connect, fieldsOf(false)+1)
	dst = append(dst, keyData...)
	if pid == "" {
		dst = appendMapHeader(dst, 1)
	} else {
		dst = appendMapHeader(dst, 2)
	}
	dst = appendStr(appendStr(dst, "sid"), sid)
	if pid != "" {
		dst = appendStr(appendStr(dst, "pid"), pid)
	}
	return appendNamespace(dst, ns)
}

// AppendMsgpackConnectError appends the MessagePack form of [AppendConnectError]
// for Rev5. It fails when data is neither nil nor JSON; dst is then returned as
// it was.
func AppendMsgpackConnectError(dst []byte, ns, message string, data []byte) ([]byte, error) {
	var p packer
	n := 1
	if data != nil {
		var err error
		if p, err = newPacker(data, nil); err != nil {
			return dst, err
		}
		n = 2
	}
	out := appendFields(dst, ConnectError, fieldsOf(false)+1)
	out = appendMapHeader(append(out, keyData...), n)
	out = appendStr(appendStr(out, "message"), message)
	if data != nil {
		out = p.value(appendStr(out, "data"))
	}
	return appendNamespace(out, ns), nil
}

// AppendMsgpackDisconnect appends the MessagePack form of [AppendDisconnect].
func AppendMsgpackDisconnect(dst []byte, ns string) []byte {
	return appendNamespace(appendFields(dst, Disconnect, fieldsOf(false)), ns)
}

// The keys of a packet as MessagePack strings.
const (
	keyType = "\xa4type"
	keyData = "\xa4data"
	keyID   = "\xa2id"
	keyNsp  = "\xa3nsp"
)

// fieldsOf counts type and nsp, and id if there is one.
func fieldsOf(hasID bool) int {
	if hasID {
		return 3
	}
	return 2
}

// appendFields starts a packet's map.
func appendFields(dst []byte, t Type, fields int) []byte {
	dst = appendMapHeader(dst, fields)
	return append(append(dst, keyType...), byte(t))
}

// appendNamespace ends a packet's map. Other than in the text form "/" is
// written out.
func appendNamespace(dst []byte, ns string) []byte {
	if ns == "" {
		ns = "/"
	}
	return appendStr(append(dst, keyNsp...), ns)
}
