package component

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Payload is a list of arguments in its wire form: the text of a JSON array, in
// which the binary arguments stand as {"_placeholder":true,"num":N}, and those
// in the order of their numbers, at most 10. The zero Payload means no
// arguments.
type Payload struct {
	Args        json.RawMessage
	Attachments [][]byte
}

const (
	maxAttachments = 10
	maxDepth       = 100 // of values that are searched for []byte
)

var (
	// ErrAttachments means that an event has more than 10 binary arguments.
	ErrAttachments = errors.New("component: more than 10 binary arguments")
	// ErrPlaceholder means that received arguments name a binary part that did
	// not come with them.
	ErrPlaceholder = errors.New("component: placeholder without its attachment")
	// ErrBothForms means that Args and Payload are set.
	ErrBothForms = errors.New("component: Args and Payload are both set")
)

// Pack marshals arguments into a Payload by the rules of the package: use it to
// marshal once what is pushed many times. The same arguments always make the
// same Payload. The []byte in it are not copied.
func Pack(args ...any) (Payload, error) {
	if len(args) == 0 {
		return Payload{}, nil
	}
	var p Payload
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // the reader is not a browser's HTML parser
	values := make([]any, len(args))
	for i, arg := range args {
		v, err := p.detach(arg, 0)
		if err != nil {
			return Payload{}, fmt.Errorf("component: argument %d: %w", i, err)
		}
		values[i] = v
	}
	if err := enc.Encode(values); err != nil {
		return Payload{}, fmt.Errorf("component: marshal arguments: %w", err)
	}
	p.Args = bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	return p, nil
}

// placeholder is what stands for a binary argument.
type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         int  `json:"num"`
}

// detach moves the binary parts of v to the attachments and returns what is
// left; v itself is not changed. Maps are walked in the order of their keys, so
// that equal arguments get equal numbers.
func (p *Payload) detach(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	switch v := v.(type) {
	case []byte:
		if v == nil {
			return nil, nil
		}
		if len(p.Attachments) == maxAttachments {
			return nil, ErrAttachments
		}
		p.Attachments = append(p.Attachments, v)
		return placeholder{true, len(p.Attachments) - 1}, nil
	case map[string]any:
		if v == nil {
			return v, nil
		}
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			var err error
			if out[key], err = p.detach(v[key], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		if v == nil {
			return v, nil
		}
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = p.detach(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// Bind unmarshals the arguments into dst, one for each, by encoding/json's
// rules. Binary arguments are for []byte, wherever in a dst, and come as []byte
// into an *any, a *map[string]any or an *[]any; they are not copied. Only into
// an any inside of something else they come as base64 strings.
//
// Arguments without a dst are ignored, a nil dst skips one; a dst without an
// argument is left as it is, because clients leave out trailing arguments.
func (p Payload) Bind(dst ...any) error {
	if len(p.Args) == 0 {
		return nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(p.Args, &raw); err != nil {
		return fmt.Errorf("component: arguments: %w", err)
	}
	for i, d := range dst[:min(len(dst), len(raw))] {
		if d == nil {
			continue
		}
		if err := p.bind(raw[i], d); err != nil {
			return fmt.Errorf("component: argument %d: %w", i, err)
		}
	}
	return nil
}

func (p Payload) bind(raw json.RawMessage, dst any) error {
	if len(p.Attachments) == 0 || !bytes.Contains(raw, []byte(`"_placeholder"`)) {
		return json.Unmarshal(raw, dst)
	}
	switch d := dst.(type) {
	case *json.RawMessage:
		*d = raw
		return nil
	case *any:
		return bindDynamic(p, raw, d)
	case *map[string]any:
		return bindDynamic(p, raw, d)
	case *[]any:
		return bindDynamic(p, raw, d)
	case *[]byte:
		var mark placeholder
		if json.Unmarshal(raw, &mark) == nil && mark.Placeholder {
			b, err := p.attachment(mark.Num)
			*d = b
			return err
		}
	}
	return p.bindTyped(raw, dst)
}

func bindDynamic[T any](p Payload, raw json.RawMessage, dst *T) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	v, err := p.attach(v)
	if err != nil {
		return err
	}
	t, ok := v.(T)
	if !ok {
		return fmt.Errorf("cannot unmarshal %T into %T", v, *dst)
	}
	*dst = t
	return nil
}

// bindTyped lets encoding/json do it: a []byte anywhere in dst takes base64.
func (p Payload) bindTyped(raw json.RawMessage, dst any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // numbers pass unchanged
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	v, err := p.attach(v)
	if err != nil {
		return err
	}
	again, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(again, dst)
}

// attach puts the binary parts back in place of their placeholders.
func (p Payload) attach(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case map[string]any:
		if v["_placeholder"] == true {
			return p.placed(v["num"])
		}
		for key := range v {
			if v[key], err = p.attach(v[key]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = p.attach(v[i]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (p Payload) placed(num any) (any, error) {
	switch n := num.(type) {
	case float64:
		if n == float64(int(n)) {
			return p.attachment(int(n))
		}
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return p.attachment(int(i))
		}
	}
	return nil, ErrPlaceholder
}

func (p Payload) attachment(n int) ([]byte, error) {
	if n < 0 || n >= len(p.Attachments) {
		return nil, ErrPlaceholder
	}
	return p.Attachments[n], nil
}

// text is the array as the wire wants it.
func (p Payload) text() string {
	if len(p.Args) == 0 {
		return "[]"
	}
	return string(p.Args)
}

// either returns the one of the two forms that is set.
func either(args []any, p Payload) (Payload, error) {
	if len(args) == 0 {
		return p, nil
	}
	if p.Args != nil || p.Attachments != nil {
		return Payload{}, ErrBothForms
	}
	return Pack(args...)
}
