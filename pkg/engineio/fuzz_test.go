package engineio

import (
	"bytes"
	"io"
	"testing"
	"unicode/utf8"
)

// FuzzPayload reads anything as a payload, and writes what it understood again:
// that must read the same.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{"4hello", "4a\x1ebAQID\x1e2probe", "6:4hello", "2:4€3:4😀", "6:b4AQID", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04"} {
		for form := range 3 {
			f.Add([]byte(s), uint8(form))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, form uint8) {
		shape := Form(form % 3)
		var again []byte
		var count int
		p := NewPayload(bytes.Clone(body), shape)
		var packets []Packet
		for {
			pkt, err := p.Next()
			if err != nil {
				if err != io.EOF && err != ErrParse {
					t.Fatalf("error %v", err)
				}
				break
			}
			if count++; count > len(body) {
				t.Fatal("more packets than bytes")
			}
			if !pkt.Binary && !utf8.Valid(pkt.Data) {
				t.Fatal("text that is not UTF-8")
			}
			if pkt.Binary && pkt.Type != Message {
				continue // generation 3 only; nobody sends them
			}
			packets = append(packets, pkt)
			if pkt.Binary {
				again = AppendBinaryElement(again, pkt.Data, shape, len(packets) == 1)
			} else {
				again = AppendElement(again, pkt.Type, pkt.Data, shape, len(packets) == 1)
			}
		}
		p = NewPayload(again, shape)
		for i, want := range packets {
			got, err := p.Next()
			if shape == FormV4 && bytes.IndexByte(want.Data, Separator) >= 0 {
				return // cannot come from a payload
			}
			if err != nil || got.Type != want.Type || got.Binary != want.Binary || !bytes.Equal(got.Data, want.Data) {
				t.Fatalf("packet %d: %+v %v, was %+v", i, got, err, want)
			}
		}
	})
}

// FuzzPacket decodes anything in both generations.
func FuzzPacket(f *testing.F) {
	f.Add([]byte("4hello"))
	f.Add([]byte("bAQID"))
	f.Add([]byte("b4AQI="))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []Version{V3, V4} {
			if p, err := DecodeText(bytes.Clone(data), v); err == nil && len(p.Data) >= len(data) {
				t.Fatalf("v%d: more data than came", v)
			}
			if p, err := DecodeBinary(data, v); err == nil {
				if got := AppendBinary(nil, p.Data, v); p.Type == Message && !bytes.Equal(got, data) {
					t.Fatalf("v%d: %x became %x", v, data, got)
				}
			}
		}
	})
}

// FuzzJSONP posts a text as a JSONP client does, and answers with it.
func FuzzJSONP(f *testing.F) {
	f.Add([]byte("d=4hello%5Cn"), "0")
	f.Add([]byte("x=1&d=%"), "1);")
	f.Fuzz(func(t *testing.T, body []byte, j string) {
		payload, ok := DecodeJSONP(bytes.Clone(body))
		if ok && (len(payload) > len(body) || !utf8.Valid(payload)) {
			t.Fatalf("%q became %q", body, payload)
		}
		script := AppendJSONP(nil, j, payload)
		inner := script[bytes.IndexByte(script, '"')+1 : len(script)-3]
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' {
				i++
			} else if inner[i] == '"' || inner[i] < ' ' {
				t.Fatalf("%q ends the string of %q", inner[i], script)
			}
		}
	})
}

// FuzzQuery checks anything as a query.
func FuzzQuery(f *testing.F) {
	f.Add("EIO=4&transport=polling&sid=abc&j=0&b64=1")
	f.Add("%45IO=%34&transport=polling&transport=polling")
	f.Fuzz(func(t *testing.T, raw string) {
		q := ParseQuery(raw)
		r := Rules{Polling: true, WebSocket: true, V3: true}
		if c := r.Transport(&q); c == OK && q.Carrier == NoCarrier {
			t.Fatal("unknown transport is taken")
		}
		if c := r.Handshake(&q, "GET", q.Carrier == WebSocket); c == OK && q.Version != V3 && q.Version != V4 {
			t.Fatal("unknown version is taken")
		}
	})
}

// FuzzState runs any sequence of transitions and checks the invariants.
func FuzzState(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := NewState(V4, Polling)
		switched, closed := false, false
		for _, step := range steps {
			switch step % 8 {
			case 0:
				s.BeginPoll()
			case 1:
				s.EndPoll()
			case 2:
				s.BeginPost()
			case 3:
				s.EndPost()
			case 4:
				if s.BeginProbe() && (switched || closed) {
					t.Fatal("probe when switched or closed")
				}
			case 5:
				s.EndProbe()
			case 6:
				if s.Switch() {
					if switched || closed {
						t.Fatal("switch when switched or closed")
					}
					switched = true
				}
			case 7:
				if s.Close() && closed {
					t.Fatal("closed twice")
				}
				closed = true
			}
			if s.Closed() != closed || (s.Carrier() == WebSocket) != switched {
				t.Fatalf("%+v after %v", s, steps)
			}
		}
	})
}
