package socketio

import "unicode/utf8"

// socket.io-msgpack-parser 2, for Socket.IO 2 clients, sends EVENT and ACK as the
// later versions do, of type BINARY_EVENT and BINARY_ACK when they hold binary.
// The other packets are JSON objects in text:
//
//	{"type":0,"query":"token=a","nsp":"/custom?token=a"}
//	{"type":4,"nsp":"/custom","data":"Invalid namespace"}

// ParseMsgpackText reads a packet that such a client sent as text: CONNECT or
// DISCONNECT, which have no payload.
func ParseMsgpackText(data []byte, lim Limits) (Packet, error) {
	if len(data) == 0 {
		return Packet{}, ErrEmpty
	}
	lim = lim.filled()
	s := scanner{b: data, depth: lim.Depth}
	if _, err := s.document(); err != nil {
		return Packet{}, err
	}
	if data[0] != '{' {
		return Packet{}, ErrJSON
	}
	typ, name := -1, []byte(nil)
	for i := s.space(1); data[i] != '}'; {
		key, end, err := s.member(i)
		if err != nil {
			return Packet{}, err
		}
		value := data[s.space(s.space(key)+1):end]
		switch {
		case keyIs(data[i:key], "type"):
			typ = plainInt(value)
		case keyIs(data[i:key], "nsp"):
			name = nil
			if value[0] == '"' {
				name = appendUnescaped(nil, value[1:len(value)-1])
			}
		case keyIs(data[i:key], "data"), keyIs(data[i:key], "id"):
			return Packet{}, ErrPayload
		}
		if i = s.space(end); data[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return oldHead(typ, name, lim)
}

func oldHead(typ int, name []byte, lim Limits) (p Packet, err error) {
	if typ != int(Connect) && typ != int(Disconnect) {
		return Packet{}, ErrType
	}
	if len(name) == 0 || name[0] != '/' || !utf8.Valid(name) {
		return Packet{}, ErrNamespace
	}
	p.Type = Type(typ)
	if p.Namespace, p.Query, err = splitNamespace(name, Rev4, lim); err != nil {
		return Packet{}, err
	}
	return p, nil
}

// AppendMsgpackText appends a CONNECT or DISCONNECT for such a client, to be sent
// as text.
func AppendMsgpackText(dst []byte, t Type, ns string) []byte {
	dst = append(dst, `{"type":`...)
	dst = append(dst, '0'+byte(t))
	dst = append(dst, `,"nsp":`...)
	return append(appendQuoted(dst, nsOrMain(ns)), '}')
}

// AppendMsgpackTextError appends a connect error for such a client, to be sent as
// text. There is room for a text only: anything else makes its decoder throw.
func AppendMsgpackTextError(dst []byte, ns, message string) []byte {
	dst = append(dst, `{"type":4,"nsp":`...)
	dst = appendQuoted(dst, nsOrMain(ns))
	dst = append(dst, `,"data":`...)
	return append(appendQuoted(dst, message), '}')
}

func nsOrMain(ns string) string {
	if ns == "" {
		return "/"
	}
	return ns
}
