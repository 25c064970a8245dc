package bench

import (
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/stand"
)

func TestWhatIsTooLargeIsRefusedBeforeItTakesMemory(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Scenario)
		want   string // nothing: it is fine
	}{
		"sockets, at the limit":      {func(s *Scenario) { s.Clients.Sockets = socketsAtMost }, ""},
		"sockets, one above":         {func(s *Scenario) { s.Clients.Sockets = socketsAtMost + 1 }, "clients.sockets"},
		"sockets, a hundred times":   {func(s *Scenario) { s.Clients.Sockets = socketsAtMost * 100 }, "clients.sockets"},
		"documents, at the limit":    {func(s *Scenario) { s.Clients.Documents = documentsAtMost }, ""},
		"documents, one above":       {func(s *Scenario) { s.Clients.Documents = documentsAtMost + 1 }, "clients.documents"},
		"documents, a hundred times": {func(s *Scenario) { s.Clients.Documents = documentsAtMost * 100 }, "clients.documents"},
		"a rate at the limit":        {func(s *Scenario) { s.Clients.ConnectRate = ratesAtMost }, ""},
		"a rate above":               {func(s *Scenario) { s.Clients.ConnectRate = ratesAtMost * 1.01 }, "clients.connect_rate"},
		"a rate without end":         {func(s *Scenario) { s.Clients.ConnectRate = 1e300 }, "clients.connect_rate"},
		"a cut before the load":      {func(s *Scenario) { s.Cut = CutSection{After: -time.Second, Share: 1} }, "cut.after"},
	} {
		s := defaultScenario()
		c.change(&s)
		if err := s.check(); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMoreEventsThanCanBeSentStopNobody: the clients go on hearing the conductor.
func TestMoreEventsThanCanBeSentStopNobody(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	from := time.Now()
	r := conduct(t, quick(func(s *Scenario) {
		s.Push.Every, s.Load.Duration = 0, 300*time.Millisecond
		s.Upstream = UpstreamSection{Every: time.Nanosecond}
	}), target)
	if took := time.Since(from); took > 25*time.Second || r.Upstream.Sent < 1000 {
		t.Errorf("%d events in %v", r.Upstream.Sent, took)
	}
}
