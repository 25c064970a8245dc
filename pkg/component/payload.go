package component

import "encoding/json"

// Payload is a list of arguments in its wire form: the text of a JSON array, in
// which the binary arguments stand as {"_placeholder":true,"num":N}, and those
// in the order of their numbers, at most 10. The zero Payload means no
// arguments.
type Payload struct {
	Args        json.RawMessage
	Attachments [][]byte
}

// Pack marshals arguments into a Payload by the rules of the package: use it to
// marshal once what is pushed many times.
func Pack(args ...any) (Payload, error) { return Payload{}, nil }

// Bind unmarshals the arguments into dst, one for each. Arguments without a dst
// are ignored, a nil dst skips one; a dst without an argument is left as it
// is, because clients leave out trailing arguments.
func (p Payload) Bind(dst ...any) error { return nil }
