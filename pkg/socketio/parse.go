package socketio

import "bytes"

// Parse reads one text packet. The whole packet is checked: after a nil error
// Data is valid JSON of the kind that the type calls for, an event has an
// allowed name, and placeholders point at announced attachments.
//
// Data aliases the input; a packet of namespace "/" costs no allocation. The
// input is taken to be valid UTF-8 (the transport's duty); bytes that are not
// pass through unharmed. Whether a packet is allowed at this moment (a second
// CONNECT, a namespace that was not joined) is for the caller to know. A refusal
// is a [Reason]; the protocol's answer to each is to close the connection.
func Parse(data []byte, rev Revision, lim Limits) (Packet, error) {
	if len(data) == 0 {
		return Packet{}, ErrEmpty
	}
	lim = lim.filled()
	p := Packet{Type: Type(data[0] - '0'), Namespace: "/"}
	if p.Type > BinaryAck {
		return Packet{}, ErrType
	}
	rest := data[1:]
	var err error
	if p.Type.Binary() {
		if p.Attachments, rest, err = cutAttachments(rest, lim.Attachments); err != nil {
			return Packet{}, err
		}
	}
	if len(rest) > 0 && rest[0] == '/' {
		var name []byte
		name, rest = cutNamespace(rest)
		if p.Namespace, p.Query, err = splitNamespace(name, rev, lim); err != nil {
			return Packet{}, err
		}
	}
	if p.ID, p.HasID, rest, err = cutID(rest); err != nil {
		return Packet{}, err
	}
	p.Data, p.unused, err = checkPayload(p.Type, rest, p.Attachments, lim)
	if err != nil {
		return Packet{}, err
	}
	return p, nil
}

// cutAttachments reads "<count>-".
func cutAttachments(b []byte, most int) (n int, rest []byte, err error) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			// Stop counting where it is too many: no overflow, and
			// leading zeros stay harmless.
			n = n*10 + int(c-'0')
			if n > most {
				return 0, nil, ErrAttachments
			}
		case c == '-' && n > 0:
			return n, b[i+1:], nil
		default:
			return 0, nil, ErrAttachments
		}
	}
	return 0, nil, ErrAttachments
}

// cutNamespace splits at the comma, which may be missing when nothing follows.
func cutNamespace(b []byte) (name, rest []byte) {
	if i := bytes.IndexByte(b, ','); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// splitNamespace checks a namespace and separates the query of Rev4 clients. In
// Rev5 a question mark is a character like any other.
func splitNamespace(b []byte, rev Revision, lim Limits) (name, query string, err error) {
	q := []byte(nil)
	if rev == Rev4 {
		b, q, _ = bytes.Cut(b, []byte{'?'})
	}
	if len(b) > lim.Namespace || len(q) > lim.Query {
		return "", "", ErrNamespace
	}
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return "", "", ErrNamespace
		}
	}
	if len(b) == 1 {
		return "/", string(q), nil
	}
	return string(b), string(q), nil
}

// cutID reads an ack id, if there is one.
func cutID(b []byte) (id uint64, has bool, rest []byte, err error) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		id = id*10 + uint64(b[i]-'0')
		if id > MaxAckID {
			return 0, false, nil, ErrAckID
		}
	}
	return id, i > 0, b[i:], nil
}

// checkPayload scans the JSON behind the header and refuses a kind that the type
// does not take.
func checkPayload(t Type, b []byte, attachments int, lim Limits) (data []byte, unused uint64, err error) {
	if len(b) == 0 {
		switch t {
		case Connect, Disconnect, ConnectError:
			return nil, 0, nil
		}
		return nil, 0, ErrPayload
	}
	if !takes(t, b[0]) {
		return nil, 0, ErrPayload
	}
	s := scanner{b: b, depth: lim.Depth, attachments: attachments}
	end, err := s.document()
	if err != nil {
		return nil, 0, err
	}
	data = b[:end]
	if t == Event || t == BinaryEvent {
		if _, _, err := splitEvent(data, lim.EventName); err != nil {
			return nil, 0, err
		}
	}
	return data, s.unused(), nil
}

// takes tells whether a payload that starts with c is of a kind the type allows.
func takes(t Type, c byte) bool {
	switch t {
	case Connect:
		return c == '{'
	case ConnectError:
		return c == '{' || c == '"'
	case Event, BinaryEvent, Ack, BinaryAck:
		return c == '['
	}
	return false // DISCONNECT has no payload
}
