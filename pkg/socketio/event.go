package socketio

import "bytes"

// EventArgs splits an event's payload, ["name",a,b], into its name and its
// arguments as a JSON array of their own, [a,b]. Call it with the Data of a
// packet that Parse accepted. Both results are copies, so they outlive the
// input; use [SplitEvent] where that costs too much.
//
// A name sent as a number comes as the text of that number. Reserved and overlong
// names and payloads of another shape are refused; the arguments themselves are
// not scanned again.
func EventArgs(data []byte, lim Limits) (name string, args []byte, err error) {
	n, list, err := SplitEvent(data, lim)
	if err != nil {
		return "", nil, err
	}
	args = make([]byte, 0, len(list)+2)
	args = append(args, '[')
	args = append(args, list...)
	return string(n), append(args, ']'), nil
}

// SplitEvent is EventArgs without copies: the name aliases data unless it was
// written with escapes, and list is what stands between the name's comma and the
// closing bracket, "a,b", empty without arguments.
func SplitEvent(data []byte, lim Limits) (name, list []byte, err error) {
	return splitEvent(data, lim.filled().EventName)
}

func splitEvent(data []byte, longest int) (name, list []byte, err error) {
	if len(data) < 2 || data[0] != '[' || data[len(data)-1] != ']' {
		return nil, nil, ErrPayload
	}
	s := scanner{b: data[:len(data)-1]}
	start := s.space(1)
	if start == len(s.b) {
		return nil, nil, ErrPayload // no name at all
	}
	name, end, err := eventName(s.b, start, longest)
	if err != nil {
		return nil, nil, err
	}
	i := s.space(end)
	if i == len(s.b) {
		return name, nil, nil
	}
	list = s.b[s.space(i+1):]
	if s.b[i] != ',' || len(list) == 0 {
		return nil, nil, ErrPayload
	}
	return name, list, nil
}

// eventName reads the name at i and gives the offset behind it.
func eventName(b []byte, i, longest int) (name []byte, end int, err error) {
	if b[i] != '"' {
		if end, err = scanNumber(b, i); err != nil {
			return nil, 0, ErrPayload
		}
		name = b[i:end]
	} else {
		if end, err = scanString(b, i); err != nil {
			return nil, 0, err
		}
		name = b[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			if len(name) > 6*longest {
				return nil, 0, ErrEventName
			}
			name = appendUnescaped(nil, name)
		}
		if Reserved(string(name)) {
			return nil, 0, ErrReserved
		}
	}
	if len(name) > longest {
		return nil, 0, ErrEventName
	}
	return name, end, nil
}

// Reserved tells whether an event name belongs to the protocol and may neither be
// received nor sent by an application.
func Reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// CheckArgs checks arguments from elsewhere before they are appended to a packet:
// they must be one JSON array within the depth limit (one level less than a
// client may nest, for the name joins them), and in it placeholders must point
// below attachments. With attachments 0, objects that look like placeholders are
// ordinary.
func CheckArgs(args []byte, attachments int, lim Limits) error {
	lim = lim.filled()
	if attachments < 0 || attachments > lim.Attachments {
		return ErrAttachments
	}
	if len(args) == 0 || args[0] != '[' {
		return ErrPayload
	}
	s := scanner{b: args, depth: lim.Depth, attachments: attachments}
	end, err := s.document()
	if err == nil && end != len(args) {
		err = ErrJSON // white space behind the bracket would end up inside the packet
	}
	return err
}
