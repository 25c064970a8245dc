package id

import (
	"errors"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, s := range []string{
		"a", "alice@example.com", "Ж中🙂", "with space", "a:b/c", strings.Repeat("x", 128),
		"\uFFFD", // the replacement character itself is text
	} {
		if err := CheckUser(s); err != nil {
			t.Errorf("CheckUser(%q) = %v", s, err)
		}
		if err := CheckDoc(s); err != nil {
			t.Errorf("CheckDoc(%q) = %v", s, err)
		}
	}
	for _, s := range []string{
		"", strings.Repeat("x", 129), strings.Repeat("é", 65), "a\x00", "a\nb", "\x7f", "\u0085",
		"\xff", "ok\xc3", "\xed\xa0\x80",
	} {
		if err := CheckUser(s); !errors.Is(err, ErrName) {
			t.Errorf("CheckUser(%q) = %v", s, err)
		}
		if err := CheckDoc(s); !errors.Is(err, ErrName) {
			t.Errorf("CheckDoc(%q) = %v", s, err)
		}
	}
}

func TestErrorsDoNotRepeatTheName(t *testing.T) {
	for _, s := range []string{"secret\n", "secret\xff", strings.Repeat("secret", 30)} {
		if err := CheckUser(s); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestTargetsSurviveTheirText(t *testing.T) {
	socket := Socket(1<<60 | 5)
	for text, want := range map[string]Target{
		"a:":                     AllTarget(),
		"d:guid":                 DocTarget("guid"),
		"d:a:b":                  DocTarget("a:b"),
		"u:uid":                  UserTarget("uid"),
		"s:" + socket.String():   SocketTarget(socket),
		"d:" + socket.String():   DocTarget(Doc(socket.String())),
		"u:\u00e9\u00e9 \u4e2d ": UserTarget("\u00e9\u00e9 \u4e2d "),
	} {
		if want.String() != text || string(want.Append([]byte("x"))) != "x"+text {
			t.Errorf("%#v is written %q, want %q", want, want, text)
		}
		if got, err := ParseTarget(text); err != nil || got != want {
			t.Errorf("ParseTarget(%q) = %#v, %v", text, got, err)
		}
	}
	if s, ok := SocketTarget(socket).Socket(); !ok || s != socket {
		t.Errorf("Socket() = %v, %v", s, ok)
	}
	if _, ok := DocTarget(Doc(socket.String())).Socket(); ok {
		t.Error("a document is taken for a socket")
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for _, text := range []string{
		"", "d", ":", "d:", "u:", "s:", "s:short", "a:x", "x:y", "D:guid", "dguid",
		"d:\x00", "u:\xff", "s:0000000000000", "d:" + strings.Repeat("x", 129), "\x00:",
	} {
		got, err := ParseTarget(text)
		if got != (Target{}) || !(errors.Is(err, ErrSyntax) || errors.Is(err, ErrName)) {
			t.Errorf("ParseTarget(%q) = %#v, %v", text, got, err)
		}
	}
	if (Target{}).String() != "" || (Target{}).Check() == nil {
		t.Error("the zero Target passes for one")
	}
}

func TestKindsHaveWords(t *testing.T) {
	for k, want := range map[Kind]string{
		KindAll: "all", KindDoc: "doc", KindUser: "user", KindSocket: "socket", 0: "none", 'x': "none",
	} {
		if k.String() != want {
			t.Errorf("%d: %q", k, k)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{
		"", "a:", "a:x", "d:guid", "d:", "u:uid", "u:\xff", "s:" + Socket(1<<60).String(), "s:x", "x:y", "::",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTarget(s)
		if err != nil {
			if got != (Target{}) {
				t.Errorf("ParseTarget(%q) = %#v with %v", s, got, err)
			}
			return
		}
		if got.String() != s || got.Check() != nil {
			t.Errorf("ParseTarget(%q) = %#v, written %q, Check %v", s, got, got, got.Check())
		}
	})
}

func FuzzCheckUser(f *testing.F) {
	for _, s := range []string{"", "a", "\x00", "\xff", "\uFFFD", "é", strings.Repeat("x", 129)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ok := CheckUser(s) == nil
		if want := len(s) >= 1 && len(s) <= MaxName && strings.ToValidUTF8(s, "") == s &&
			!strings.ContainsFunc(s, isControl); ok != want {
			t.Errorf("CheckUser(%q): accepted %v, want %v", s, ok, want)
		}
	})
}

// isControl lists category Cc by its two ranges.
func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }
