package socketio

// Reason says why input was refused. It is the error that this package returns,
// compared with == or errors.Is, and the same text is meant as a metric label.
// It never contains anything a client sent.
type Reason string

const (
	ErrEmpty       Reason = "empty_packet"        // no byte at all
	ErrType        Reason = "unknown_type"        // not one of the seven types (five in MessagePack)
	ErrAttachments Reason = "bad_attachments"     // the count is missing, zero, not digits or above the limit
	ErrNamespace   Reason = "bad_namespace"       // too long, or with control characters
	ErrAckID       Reason = "bad_ack_id"          // above MaxAckID, negative or not an integer
	ErrPayload     Reason = "bad_payload"         // JSON of a kind that the packet type does not take
	ErrJSON        Reason = "bad_json"            // truncated, trailing bytes or otherwise not JSON
	ErrDepth       Reason = "too_deep"            // nested deeper than the limit
	ErrEventName   Reason = "bad_event_name"      // longer than the limit
	ErrReserved    Reason = "reserved_event_name" // connect, disconnect and the like
	ErrPlaceholder Reason = "bad_placeholder"     // num missing, not an integer or out of range
	ErrText        Reason = "text_in_between"     // a packet while attachments are still missing
	ErrBinary      Reason = "unexpected_binary"   // an attachment that no packet announced
	ErrTooLarge    Reason = "too_large"           // larger than the limit once put together
	ErrMsgpack     Reason = "bad_msgpack"         // truncated, trailing bytes, or a value that has no JSON form
)

// Error gives the reason with the package's name in front.
func (r Reason) Error() string { return "socketio: " + string(r) }
