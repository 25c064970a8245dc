package gateway

import (
	"testing"

	"sluice/pkg/bus"
	"sluice/pkg/id"
)

func TestFilterLetsThroughWhomItNames(t *testing.T) {
	who := traits{authType: "web", version: "1.10.2", locale: "en-GB"}
	for name, c := range map[string]struct {
		push bus.Push
		pass bool
	}{
		"no filter":          {bus.Push{}, true},
		"excepted":           {bus.Push{Except: []id.Socket{9, 7, 5}}, false},
		"others excepted":    {bus.Push{Except: []id.Socket{9, 5}}, true},
		"auth type":          {bus.Push{AuthTypes: []string{"sdk", "web"}}, true},
		"other auth type":    {bus.Push{AuthTypes: []string{"sdk"}}, false},
		"version from":       {bus.Push{MinVersion: "1.9"}, true},
		"version from above": {bus.Push{MinVersion: "1.11"}, false},
		"version to":         {bus.Push{MaxVersion: "1.10.2"}, true},
		"version to below":   {bus.Push{MaxVersion: "1.10.1"}, false},
		"locale family":      {bus.Push{Locales: []string{"EN"}}, true},
		"exact locale":       {bus.Push{Locales: []string{"en-GB"}}, true},
		"other locale":       {bus.Push{Locales: []string{"en-US", "e"}}, false},
	} {
		f := newFilter(&c.push)
		if got := f.passes(7, &who); got != c.pass {
			t.Errorf("%s: passes is %v", name, got)
		}
	}
}

func TestVersionsCompareAsNumbers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.9", "1.10", -1}, {"1.10", "1.9", 1}, {"2", "2.0.0", 0}, {"", "0", 0}, {"1.2", "1.2.1", -1},
		{"3-beta", "3", 0}, {"x", "0", 0}, {"10", "9", 1},
	} {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("%q and %q compare as %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	f := newFilter(&bus.Push{Except: []id.Socket{1, 2, 3}, MinVersion: "1.2", Locales: []string{"en"}})
	who := traits{version: "1.10.2", locale: "en-GB"}
	b.ReportAllocs()
	for b.Loop() {
		if !f.passes(7, &who) {
			b.Fatal("does not pass")
		}
	}
}
