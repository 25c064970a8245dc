package engineio

import "testing"

func TestAppendJSONP(t *testing.T) {
	for _, c := range []struct{ j, payload, want string }{
		{"0", "4hello", `___eio[0]("4hello");`},
		{"12", `4["a","b\c"]`, `___eio[12]("4[\"a\",\"b\\c\"]");`},
		{"1);alert(2", "6", `___eio[12]("6");`},
		{"", "4a\x1e4b", `___eio[]("4a\u001e4b");`},
		{"0", "\b\f\n\r\t\x00\x7f", "___eio[0](\"\\b\\f\\n\\r\\t\\u0000\x7f\");"},
		{"0", "\u2027\u2028\u2029\u202a€", "___eio[0](\"\u2027\\u2028\\u2029\u202a€\");"},
		{"0", "</script>", `___eio[0]("</script>");`},
	} {
		if got := string(AppendJSONP(nil, c.j, []byte(c.payload))); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.j, c.payload, got, c.want)
		}
	}
}

func TestDecodeJSONP(t *testing.T) {
	for in, want := range map[string]string{
		"d=4hello":             "4hello",
		"x=1&d=4a%20b+c":       "4a b c",
		"d=6%3A4hello&d=other": "6:4hello",
		"d=4%E2%82%AC":         "4€",
		`d=4a%5Cnb`:            "4a\nb",  // \n is a line feed
		`d=4a%5C%5Cnb`:         `4a\nb`,  // \\n is \n
		`d=4a%5C%5C%5Cnb`:      `4a\\nb`, // as the reference's two replacements do
		`d=4%5C`:               `4\`,
		`d=4%5C%5C`:            `4\\`,
		"d=":                   "",
		"4hello":               "bad",
		"":                     "bad",
		"d=%":                  "bad",
		"d=%4":                 "bad",
		"d=%zz":                "bad",
		"d=4%ff":               "bad",
		"dd=4":                 "bad",
	} {
		got, ok := DecodeJSONP([]byte(in))
		if !ok {
			got = []byte("bad")
		}
		if string(got) != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
