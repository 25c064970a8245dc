package bench

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/stand"
	"sluice/pkg/bench/swarm"
)

// TestWhatABadServerDidIsSaidExactly: which message was lost or doubled on its
// way to which client, and nothing else.
func TestWhatABadServerDidIsSaidExactly(t *testing.T) {
	type fault struct {
		what, room string
		message    uint32
	}
	bad := map[fault]bool{
		{"lost", "bench-3", 2}: true, {"lost", "bench-150", 5}: true, {"lost", "bench-150", 6}: true,
		{"doubled", "bench-0", 1}: true, {"doubled", "bench-199", 4}: true,
	}
	_, target := standFor(t, stand.Faults{Times: func(rooms []string, message []byte) int {
		_, mark, _ := bytes.Cut(message, []byte(","))
		m, ok := swarm.ParseMark(append([]byte{'['}, mark...))
		switch {
		case !ok:
			t.Errorf("pushed without a mark: %.60s", message)
		case bad[fault{"lost", rooms[0], m.Number}]:
			return 0
		case bad[fault{"doubled", rooms[0], m.Number}]:
			return 2
		}
		return 1
	}})
	r := conduct(t, quick(func(s *Scenario) {
		s.Clients.Documents, s.Push.To, s.Load.Settle = 200, toAll, 500*time.Millisecond // a document each
	}), target)
	var got []fault
	for _, f := range r.Faults {
		got = append(got, fault{f.What, documentName(f.Client), f.Message})
		if f.Document != "" || f.At <= 0 || f.At > 60 {
			t.Errorf("%+v", f)
		}
	}
	want := []fault{{"doubled", "bench-0", 1}, {"doubled", "bench-199", 4}, {"lost", "bench-3", 2}, {"lost", "bench-150", 5}, {"lost", "bench-150", 6}}
	if !slices.Equal(got, want) || r.Messages.Lost != 3 || r.Messages.Duplicates != 2 || len(r.Problems) != 2 {
		t.Errorf("%v; %+v, %v", got, r.Messages, r.Problems)
	}
	var table strings.Builder
	if err := (&report.Report{Runs: []report.Run{r}}).WriteTable(&table); err != nil || !strings.Contains(table.String(), "lost: client 150, message 6 to all") {
		t.Errorf("%v: %s", err, table.String())
	}
}

// TestFaultsAreRememberedToABound: all are counted.
func TestFaultsAreRememberedToABound(t *testing.T) {
	_, target := standFor(t, stand.Faults{Lose: 2})
	r := conduct(t, quick(func(s *Scenario) { s.Load.Settle = 200 * time.Millisecond }), target)
	if len(r.Faults) != swarm.FaultsKept || r.Messages.Lost < 10*swarm.FaultsKept {
		t.Errorf("%d of %d are told", len(r.Faults), r.Messages.Lost)
	}
	if !slices.IsSortedFunc(r.Faults, func(a, b report.Fault) int { return cmp.Compare(a.Message, b.Message) }) {
		t.Errorf("%v", r.Faults)
	}
}

func TestAComponentThatHearsNothingIsHinted(t *testing.T) {
	c := conductor{job: job{target: &Target{Kind: kindSluice, Component: "docs"}}, probe: newProbe(nil, hasty)}
	c.run.Receipts.Sent, c.run.Receipts.Lost = 50, 50
	c.judge(&census{})
	if len(c.run.Problems) != 1 || !strings.Contains(c.run.Problems[0], `component "docs" may not hear`) {
		t.Errorf("%v", c.run.Problems)
	}
	c.run.Problems, c.run.Receipts.Received, c.run.Receipts.Lost = nil, 49, 1
	if c.judge(&census{}); len(c.run.Problems) != 1 || strings.Contains(c.run.Problems[0], "hear") {
		t.Errorf("%v", c.run.Problems)
	}
}
