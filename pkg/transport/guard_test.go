package transport

import (
	"testing"
)

type stopped int64

func (s stopped) now() int64 { return int64(s) }

// The guard must find the same in a stream however it is cut into pieces.
func FuzzGuard(f *testing.F) {
	f.Add(append(masked(0x01, "abc"), masked(0x80, "def")...), uint8(3))
	f.Add(masked(0x81, string(repeat("x", 70_000))), uint8(7))
	f.Add(append(masked(0x89, ""), masked(0x88, "\x03")...), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		limits := &guardLimits{fragments: 4, controls: 3}
		whole, pieces := guard{limits: limits}, guard{limits: limits}
		want := whole.observe(stream, stopped(0))
		var got error
		for rest := stream; len(rest) > 0 && got == nil; {
			n := min(int(step%16)+1, len(rest))
			got = pieces.observe(rest[:n], stopped(0))
			rest = rest[n:]
		}
		if got != want {
			t.Fatalf("in pieces %v, as a whole %v", got, want)
		}
		if got == nil && pieces != whole {
			t.Fatalf("in pieces %+v, as a whole %+v", pieces, whole)
		}
	})
}

func TestControlsAreCountedPerSecond(t *testing.T) {
	g := guard{limits: &guardLimits{fragments: 64, controls: 5}}
	ping := masked(0x89, "x")
	for second := range int64(3) {
		for range 5 {
			if err := g.observe(ping, stopped(second*1000+10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := g.observe(ping, stopped(2999)); err != errControls {
		t.Error(err)
	}
}
