package bench

import (
	"strings"
	"testing"

	"sluice/pkg/bench/report"
)

func TestProgressFitsTheTerminal(t *testing.T) {
	var out strings.Builder
	columns := 40
	l := &live{to: &out, terminal: true, columns: func() int { return columns }}
	p := progress{Run: "s2 sluice", Phase: "load", Point: report.Point{At: 3, Up: 2000, Delivered: 2000, Resident: 50e6}}
	l.show(p)
	if text := strings.TrimPrefix(out.String(), "\r"); len(text) != 39 {
		t.Errorf("%d columns of %d: %q", len(text), columns, text)
	}
	out.Reset()
	columns = 0 // not told
	l.show(p)
	if text := out.String(); !strings.Contains(text, "server 50 MB") || strings.Count(text, "\r") != 1 {
		t.Errorf("%q", text)
	}
	out.Reset()
	p.Point = report.Point{}
	l.show(p)
	if text := out.String(); strings.Contains(text, "server") || !strings.HasSuffix(text, " ") {
		t.Errorf("the longer line before is not covered, or a server is shown that is not watched: %q", text)
	}
}
