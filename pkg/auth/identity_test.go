package auth

import (
	"strings"
	"testing"

	"sluice/pkg/id"
)

func TestMayJoin(t *testing.T) {
	for _, tt := range []struct {
		grants string
		doc    id.Doc
		want   bool
	}{
		{"", "a", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"a", "A", false},
		{"a", "", false},
		{"a*", "a", true},
		{"a*", "ab", true},
		{"a*", "ba", false},
		{"*", "anything", true},
		{"*", "", false},
		{"a*b", "axb", false},
		{"a*b", "a*b", true},
		{"*a", "xa", false},
		{"a**", "ab", false},
		{"a**", "a*b", true},
		{"x y team/*", "team/7", true},
		{"x y team/*", "y", true},
		{"x y team/*", "team", false},
	} {
		i := Identity{Docs: strings.Fields(tt.grants)}
		if got := i.MayJoin(tt.doc); got != tt.want {
			t.Errorf("%q and %q: %v", tt.grants, tt.doc, got)
		}
	}
}

func TestCheckGrants(t *testing.T) {
	long := strings.Repeat("d", id.MaxName)
	for in, want := range map[string]bool{
		"a": true, "a*": true, "*": true, "**": true, long: true, long + "*": true, long + "d": false, long + "d*": false, "a\x00": false, "\xff*": false, "": false,
	} {
		if _, ok := checkGrants([]string{in}, 10); ok != want {
			t.Errorf("%q: %v", in, ok)
		}
	}
	for n, want := range map[int]bool{0: true, 10: true, 11: false, 1000: false} {
		if _, ok := checkGrants(grantsOf(n), 10); ok != want {
			t.Errorf("%d grants: %v", n, ok)
		}
	}
}
