package api

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestArgumentsAreCheckedAgainstTheirAttachments(t *testing.T) {
	const p0, p1 = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`
	for _, tc := range []struct {
		name, args  string
		attachments int
		want        string
	}{
		{"empty list", `[]`, 0, ""},
		{"spaces", " \t\r\n[ 1 , 2 ] \n", 0, ""},
		{"every kind", `[null,true,false,0,-1,1.5,2e3,-0.1E-7,"a\"\\\/\b\f\n\r\té",{"a":[{}]},[]]`, 0, ""},
		{"empty text", ``, 0, argsNotArray},
		{"object", `{}`, 0, argsNotArray},
		{"string", `"[]"`, 0, argsNotArray},
		{"trailing", `[]x`, 0, argsSyntax},
		{"two arrays", `[][]`, 0, argsSyntax},
		{"open", `[`, 0, argsSyntax},
		{"open string", `["a`, 0, argsSyntax},
		{"open escape", `["\`, 0, argsSyntax},
		{"short unicode", `["\u12"]`, 0, argsSyntax},
		{"bad unicode", `["\u12g4"]`, 0, argsSyntax},
		{"bad escape", `["\x"]`, 0, argsSyntax},
		{"raw control", "[\"a\nb\"]", 0, argsSyntax},
		{"comma at end", `[1,]`, 0, argsSyntax},
		{"no comma", `[1 2]`, 0, argsSyntax},
		{"leading zero", `[01]`, 0, argsSyntax},
		{"lone minus", `[-]`, 0, argsSyntax},
		{"no fraction", `[1.]`, 0, argsSyntax},
		{"no exponent", `[1e]`, 0, argsSyntax},
		{"plus", `[+1]`, 0, argsSyntax},
		{"NaN", `[NaN]`, 0, argsSyntax},
		{"cut word", `[tru`, 0, argsSyntax},
		{"key without quotes", `[{a:1}]`, 0, argsSyntax},
		{"key without value", `[{"a"}]`, 0, argsSyntax},
		{"comma in object", `[{"a":1,}]`, 0, argsSyntax},
		{"not UTF-8", "[\"\xff\"]", 0, argsNotUTF8},

		{"one attachment", `[` + p0 + `]`, 1, ""},
		{"two, deep and swapped", `[{"a":[` + p1 + `]},` + p0 + `]`, 2, ""},
		{"one twice", `[` + p0 + `,` + p0 + `]`, 1, ""},
		{"placeholder without attachment", `[` + p0 + `]`, 0, argsPlaceholder},
		{"out of range", `[` + p1 + `]`, 1, argsPlaceholder},
		{"one not named", `[` + p1 + `]`, 2, argsUnreferenced},
		{"none named", `[]`, 1, argsUnreferenced},
		{"negative", `[{"_placeholder":true,"num":-1}]`, 1, argsPlaceholder},
		{"minus zero", `[{"_placeholder":true,"num":-0}]`, 1, argsPlaceholder},
		{"fraction", `[{"_placeholder":true,"num":0.0}]`, 1, argsPlaceholder},
		{"exponent", `[{"_placeholder":true,"num":0e0}]`, 1, argsPlaceholder},
		{"huge", `[{"_placeholder":true,"num":18446744073709551616}]`, 1, argsPlaceholder},
		{"text", `[{"_placeholder":true,"num":"0"}]`, 1, argsPlaceholder},
		{"no number", `[{"_placeholder":true}]`, 1, argsPlaceholder},
		{"number first", `[{"num":0,"_placeholder":true}]`, 1, ""},
		{"mark taken back", `[{"_placeholder":true,"num":9,"_placeholder":false}]`, 0, ""},
		{"mark in escapes", `[{"\u005fplaceholder":true,"n\u0075m":3}]`, 1, argsPlaceholder},
		{"all of the mark in escapes", `[{"\u005f\u0070\u006c\u0061\u0063\u0065\u0068\u006f\u006c\u0064\u0065\u0072":true}]`, 1, argsPlaceholder},
		{"mark is not true", `[{"_placeholder":1,"num":9}]`, 0, ""},
		{"num of something else", `[{"num":9}]`, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := checkArgs(tc.args, tc.attachments, 32); got != tc.want {
				t.Errorf("checkArgs(%q, %d) = %q, want %q", tc.args, tc.attachments, got, tc.want)
			}
		})
	}
}

func TestDepthIsBounded(t *testing.T) {
	for _, pair := range [][2]string{{"[", "]"}, {`[{"a":`, `}]`}} {
		levels := strings.Count(pair[0], "[") + strings.Count(pair[0], "{")
		nested := func(depth int) string {
			n := depth / levels
			inner := ""
			if levels == 2 {
				inner = "1"
			}
			return strings.Repeat(pair[0], n) + inner + strings.Repeat(pair[1], n)
		}
		for depth, want := range map[int]string{32: "", 34: argsDeep, 3200: argsDeep, 900_000: argsDeep} {
			if got := checkArgs(nested(depth), 0, 32); got != want {
				t.Errorf("%q at depth %d: %q, want %q", pair[0], depth, got, want)
			}
		}
	}
	if got := checkArgs(strings.Repeat("[", 33)+strings.Repeat("]", 33), 0, 32); got != argsDeep {
		t.Errorf("one above the depth: %q", got)
	}
	// Many small ones side by side are not deep.
	if got := checkArgs("["+strings.Repeat("[],{},", 10_000)+"1]", 0, 2); got != "" {
		t.Errorf("wide: %q", got)
	}
}

func TestCheckingArgumentsDoesNotAllocate(t *testing.T) {
	text := `[{"a":[1,2,{"b":"c"}],"_placeholder":true,"num":0},"` + strings.Repeat("x", 10_000) + `"]`
	if n := testing.AllocsPerRun(100, func() {
		if checkArgs(text, 1, 32) != "" {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzArgs compares with encoding/json, which knows no depth and no placeholders.
func FuzzArgs(f *testing.F) {
	for _, s := range []string{
		`[]`, `[1,"a",{"b":null}]`, `[{"_placeholder":true,"num":0}]`, `[-0.5e+7,true,false]`, `["\ud800\u00e9"]`,
		"[\"\x00\"]", `[[[[[[]]]]]]`, `[1e400]`, "\ufeff[]", `[{"a":1,"a":2}]`,
	} {
		f.Add(s, 0)
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, text string, attachments int) {
		attachments = int(uint(attachments) % 11)
		got := checkArgs(text, attachments, 32)
		var list []json.RawMessage
		valid := utf8.ValidString(text) && json.Unmarshal([]byte(text), &list) == nil && list != nil
		switch got {
		case "", argsDeep, argsPlaceholder, argsUnreferenced:
			if got == "" && !valid {
				t.Errorf("accepted %q, which is no JSON array", text)
			}
		case argsSyntax, argsNotArray, argsNotUTF8:
			if valid && !strings.Contains(text, "_placeholder") {
				t.Errorf("refused %q: %s", text, got)
			}
		default:
			t.Errorf("unknown answer %q", got)
		}
	})
}

func BenchmarkArgs(b *testing.B) {
	text := `["cursor",{"x":1024,"y":77,"selection":[1,2,3],"name":"somebody"}]`
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if checkArgs(text, 0, 32) != "" {
			b.Fatal("refused")
		}
	}
}
