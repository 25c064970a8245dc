package bench

import (
	"fmt"
	"time"
)

// Scale is how a run differs from its scenario. Zero values leave it as it is.
type Scale struct {
	Sockets     int
	Duration    time.Duration
	ConnectRate float64
}

// apply changes the scenario and returns what was changed, in sentences.
func (c Scale) apply(s *Scenario) []string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if c.Sockets > 0 && c.Sockets != s.Clients.Sockets {
		meant := s.Clients.Sockets
		say("Scaled: %s sockets, %s in the scenario (%s).", commas(c.Sockets), commas(meant), ratio(c.Sockets, meant))
		if s.Churn.PerSecond > 0 {
			say("Scaled: %s clients leave and come each second, %s in the scenario (the same share).",
				commas(int(s.Churn.PerSecond*float64(c.Sockets))), commas(int(s.Churn.PerSecond*float64(meant))))
		}
		if d := s.Clients.Documents; d > 1 {
			least := 1
			if s.Clients.HotShare > 0 {
				least = 2
			}
			s.Clients.Documents = max(least, int(int64(d)*int64(c.Sockets)/int64(meant)))
			if s.Clients.Documents != d {
				say("Scaled: %s documents, %s in the scenario.", commas(s.Clients.Documents), commas(d))
			}
		}
		s.Clients.Sockets = c.Sockets
	}
	if c.Duration > 0 && s.Load.Duration > 0 && c.Duration != s.Load.Duration {
		say("Scaled: %v of load, %v in the scenario.", c.Duration, s.Load.Duration)
		if s.Cut.Share > 0 && s.Cut.After >= c.Duration {
			s.Cut.After = c.Duration / 4
			say("Scaled: the cut is after %v.", s.Cut.After)
		}
		s.Load.Duration = c.Duration
	}
	if c.ConnectRate > 0 && c.ConnectRate != s.Clients.ConnectRate {
		say("Scaled: clients connect at %g per second.", c.ConnectRate)
		s.Clients.ConnectRate = c.ConnectRate
	}
	return said
}

// ratio says how two numbers compare, the larger one in whole.
func ratio(is, meant int) string {
	if is < meant {
		return fmt.Sprintf("1 to %.4g", float64(meant)/float64(is))
	}
	return fmt.Sprintf("%.4g to 1", float64(is)/float64(meant))
}

// enough sockets make a figure per socket that says something about more.
const enough = 1000

// extrapolate says what a figure per socket comes to at the scenario's size.
func extrapolate(perSocket float64, is, meant int) string {
	if is >= meant || is < enough || perSocket <= 0 {
		return ""
	}
	return fmt.Sprintf("Extrapolated, not measured: %s sockets at %s bytes each are %.1f GB resident.",
		commas(meant), commas(int(perSocket)), perSocket*float64(meant)/1e9)
}

func commas(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
