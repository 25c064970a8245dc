package engineio

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
)

// describe reads a payload as text: type:data, binary in hex, ! for an error.
func describe(body []byte, f Form) string {
	var out []string
	p := NewPayload(bytes.Clone(body), f)
	for {
		pkt, err := p.Next()
		if err == io.EOF {
			return strings.Join(out, " ")
		}
		if err != nil {
			out = append(out, "!")
			if _, err = p.Next(); err == nil {
				out = append(out, "goes on")
			}
			return strings.Join(out, " ")
		}
		if pkt.Binary {
			out = append(out, fmt.Sprintf("%d:x%x", pkt.Type, pkt.Data))
		} else {
			out = append(out, fmt.Sprintf("%d:%s", pkt.Type, pkt.Data))
		}
	}
}

func TestPayloadV4(t *testing.T) {
	for in, want := range map[string]string{
		"4hello":               "4:hello",
		"4a\x1e4b\x1e3":        "4:a 4:b 3:",
		"4a\x1ebAQID\x1e4€":    "4:a 4:x010203 4:€",
		"":                     "!",
		"\x1e":                 "!",
		"4a\x1e":               "4:a !",
		"\x1e4a":               "!",
		"4a\x1e\x1e4b":         "4:a !",
		"4a\x1eabc\x1e4b":      "4:a !",
		"7":                    "!",
		"4\xff":                "!",
		"4ok\x1e4\xc3\x1e\xa4": "!", // a character that is cut by the separator
		"1":                    "1:",
	} {
		if got := describe([]byte(in), FormV4); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPayloadText3(t *testing.T) {
	for in, want := range map[string]string{
		"6:4hello":               "4:hello",
		"2:4€":                   "4:€",
		"3:4😀":                   "4:😀",
		"2:4a2:4b1:2":            "4:a 4:b 2:",
		"6:b4AQID":               "4:x010203",
		"7:b4AQID=":              "!",
		"0:2:4a":                 "4:a",
		"0:":                     "",
		"":                       "!",
		":":                      "!",
		"2":                      "!",
		"2:":                     "!",
		"3:4a":                   "!",
		"2:4😀":                   "!", // would cut the character
		"1:4a":                   "4: !",
		"a:4":                    "!",
		"-1:4":                   "!",
		"01:4":                   "!",
		"1000000000:4":           "!",
		"99999999999:4":          "!",
		"2:4a2:7b":               "4:a !",
		"2:4\xff":                "!",
		"18446744073709551617:4": "!",
	} {
		if got := describe([]byte(in), FormText3); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPayloadBinary3(t *testing.T) {
	for in, want := range map[string]string{
		"0006ff3468656c6c6f0105ff0401020304":     "4:hello 4:x01020304",
		"000102ff34" + "6162636465666768696a6b":  "4:abcdefghijk",
		"0101ff04":                               "4:x",
		"0001ff31":                               "1:",
		"":                                       "!",
		"00":                                     "!",
		"00ff":                                   "!",
		"0001":                                   "!",
		"0001ff":                                 "!",
		"0002ff34":                               "!",
		"0201ff34":                               "!",
		"0001fe34":                               "!",
		"00000aff34":                             "!",
		"0000ff":                                 "!", // a packet of nothing
		"0101ff07":                               "!",
		"0002ff34ff":                             "!",
		"0001ff34" + "0001ff39":                  "4: !",
		"00" + strings.Repeat("09", 10) + "ff34": "!",
	} {
		body, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(body, FormBinary3); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestAppendElements(t *testing.T) {
	build := func(f Form) (b []byte) {
		b = AppendElement(b, Message, []byte("hello"), f, true)
		b = AppendBinaryElement(b, []byte{1, 2, 3, 4}, f, false)
		return AppendElement(b, Message, []byte("€😀"), f, false)
	}
	for f, want := range map[Form]string{
		FormV4:      "4hello\x1ebAQIDBA==\x1e4€😀",
		FormText3:   "6:4hello10:b4AQIDBA==4:4€😀",
		FormBinary3: "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04\x00\x08\xff4€😀",
	} {
		if got := string(build(f)); got != want {
			t.Errorf("form %d: %q, want %q", f, got, want)
		}
		if got := describe(build(f), f); got != "4:hello 4:x01020304 4:€😀" {
			t.Errorf("form %d reads as %q", f, got)
		}
	}
}

func TestFormOf(t *testing.T) {
	for _, c := range []struct {
		v      Version
		octets bool
		want   Form
	}{{V4, false, FormV4}, {V4, true, FormV4}, {V3, false, FormText3}, {V3, true, FormBinary3}} {
		if got := FormOf(c.v, c.octets); got != c.want {
			t.Errorf("v%d octets %v: %d", c.v, c.octets, got)
		}
	}
}

func TestReadingDoesNotAllocate(t *testing.T) {
	body := []byte("4hello\x1ebAQIDBA==\x1e3")
	work := make([]byte, len(body))
	if n := testing.AllocsPerRun(100, func() {
		copy(work, body)
		p := NewPayload(work, FormV4)
		for {
			if _, err := p.Next(); err != nil {
				return
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
