package socketio

import "strconv"

// AppendConnect appends the server's answer to a CONNECT. In Rev5 it carries the
// public socket id; Rev4 clients know theirs from the handshake and get a bare
// packet.
func AppendConnect(dst []byte, ns, sid string, rev Revision) []byte {
	dst = appendHeader(dst, Connect, 0, ns)
	if rev == Rev4 {
		return dst
	}
	dst = append(dst, `{"sid":`...)
	return append(appendQuoted(dst, sid), '}')
}

// AppendConnectResumable is AppendConnect for Rev5 clients that may come back:
// pid is the private id with which they will ask for what they missed.
func AppendConnectResumable(dst []byte, ns, sid, pid string) []byte {
	dst = appendHeader(dst, Connect, 0, ns)
	dst = append(dst, `{"sid":`...)
	dst = appendQuoted(dst, sid)
	dst = append(dst, `,"pid":`...)
	return append(appendQuoted(dst, pid), '}')
}

// AppendConnectError appends the refusal of a CONNECT. Rev5 gets an object of
// message and data (left out when nil); Rev4 gets the data alone, or the message
// as a string when there is none. The data must be JSON.
func AppendConnectError(dst []byte, ns, message string, data []byte, rev Revision) []byte {
	dst = appendHeader(dst, ConnectError, 0, ns)
	if rev == Rev4 {
		if data != nil {
			return append(dst, data...)
		}
		return appendQuoted(dst, message)
	}
	dst = append(dst, `{"message":`...)
	dst = appendQuoted(dst, message)
	if data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, data...)
	}
	return append(dst, '}')
}

// AppendInvalidNamespace appends the answer to a CONNECT to a namespace that does
// not exist: the same bytes in both revisions.
func AppendInvalidNamespace(dst []byte, ns string) []byte {
	return AppendConnectError(dst, ns, "Invalid namespace", nil, Rev5)
}

// AppendDisconnect appends the packet that ends one namespace.
func AppendDisconnect(dst []byte, ns string) []byte {
	return appendHeader(dst, Disconnect, 0, ns)
}

// AppendEvent appends an event: the text packet only, after which the caller
// sends the attachments as binary messages in order. args is a JSON array without
// white space around it, as [CheckArgs] takes it and [EventArgs] gives it; nil
// means no arguments. With hasID the client answers with ack id. An offset other
// than "" becomes one more argument behind the others, from which a client that
// was given a pid resumes.
func AppendEvent(dst []byte, ns, name string, args []byte, attachments int, hasID bool, id uint64, offset string) []byte {
	t := Event
	if attachments > 0 {
		t = BinaryEvent
	}
	dst = appendHeader(dst, t, attachments, ns)
	if hasID {
		dst = strconv.AppendUint(dst, id, 10)
	}
	dst = append(dst, '[')
	dst = appendQuoted(dst, name)
	if list := argList(args); len(list) > 0 {
		dst = append(dst, ',')
		dst = append(dst, list...)
	}
	if offset != "" {
		dst = append(dst, ',')
		dst = appendQuoted(dst, offset)
	}
	return append(dst, ']')
}

// AppendAck appends the answer to an event that asked for one. args is as in
// AppendEvent.
func AppendAck(dst []byte, ns string, id uint64, args []byte, attachments int) []byte {
	t := Ack
	if attachments > 0 {
		t = BinaryAck
	}
	dst = appendHeader(dst, t, attachments, ns)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, '[')
	dst = append(dst, argList(args)...)
	return append(dst, ']')
}

// appendHeader appends everything in front of the ack id.
func appendHeader(dst []byte, t Type, attachments int, ns string) []byte {
	dst = append(dst, '0'+byte(t))
	if attachments > 0 {
		dst = strconv.AppendInt(dst, int64(attachments), 10)
		dst = append(dst, '-')
	}
	if ns != "" && ns != "/" {
		dst = append(dst, ns...)
		dst = append(dst, ',')
	}
	return dst
}

// argList is what stands between the brackets of a JSON array, nothing when that
// is only white space.
func argList(args []byte) []byte {
	if len(args) < 2 {
		return nil
	}
	s := scanner{b: args[1 : len(args)-1]}
	return s.b[s.space(0):]
}
