package socketio

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuotedTextReadsBackAsItWas(t *testing.T) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é€😀\u2028\u2029", "<script>&", strings.Repeat("long ", 1000)} {
		q := appendQuoted(nil, s)
		var back string
		if err := json.Unmarshal(q, &back); err != nil || back != s {
			t.Errorf("%q became %s: %v", s, q, err)
		}
		if got := appendUnescaped(nil, q[1:len(q)-1]); string(got) != s {
			t.Errorf("%s unescaped to %q", q, got)
		}
	}
}

func TestTextThatIsNotUTF8IsReplaced(t *testing.T) {
	for in, want := range map[string]string{
		"a\xffb": "a\uFFFDb", "\xc3": "\uFFFD", "\xed\xa0\x80": "\uFFFD\uFFFD\uFFFD", "\uFFFD": "\uFFFD",
	} {
		if got := string(appendQuoted(nil, []byte(in))); got != `"`+want+`"` {
			t.Errorf("%q quoted to %q", in, got)
		}
		if got := string(appendUnescaped(nil, []byte(in))); got != want {
			t.Errorf("%q unescaped to %q", in, got)
		}
	}
	for in, want := range map[string]string{
		`\ud800`: "\uFFFD", `\ud83d\ude00`: "😀", `\ude00\ud83d`: "\uFFFD\uFFFD", `\ud800\u0041`: "\uFFFDA", `\ud800\n`: "\uFFFD\n", `\ud83d\ud83d\ude00`: "\uFFFD😀",
	} {
		if got := string(appendUnescaped(nil, []byte(in))); got != want {
			t.Errorf("%s unescaped to %q, want %q", in, got, want)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	for _, s := range []string{`plain`, `\u00e9\ud83d\ude00\ud800`, "\xff\\n", `\"\\\/`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		quoted := append(append([]byte{'"'}, raw...), '"')
		if end, err := scanString(quoted, 0); err != nil || end != len(quoted) {
			return
		}
		got := appendUnescaped(nil, raw)
		if !utf8.Valid(got) || len(got) != unescapedLen(raw) {
			t.Fatalf("%q: %q, counted %d", raw, got, unescapedLen(raw))
		}
		var want string
		if err := json.Unmarshal(quoted, &want); err != nil || string(got) != want {
			t.Fatalf("%q: %q, encoding/json says %q and %v", raw, got, want, err)
		}
	})
}
