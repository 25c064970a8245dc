package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Scale is how a run differs from its scenario. Zero values leave it as it is.
type Scale struct {
	Sockets     int
	Duration    time.Duration
	ConnectRate float64
	Every       time.Duration // of pushes
}

// of reads the number of sockets behind a scenario's name, as in s1@100000,
// which goes before that of all scenarios. An @ before anything else is the name's.
func (c Scale) of(name string) (string, Scale) {
	at := strings.LastIndexByte(name, '@')
	if n, err := strconv.Atoi(name[at+1:]); at > 0 && err == nil && n > 0 {
		c.Sockets = n
		return name[:at], c
	}
	return name, c
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
			if s.Push.To != toSocket {
				least = max(least, s.Push.Pushers)
			}
			s.Clients.Documents = max(least, int(int64(d)*int64(c.Sockets)/int64(meant)))
			if s.Clients.Documents != d {
				say("Scaled: documents: %s, %s in the scenario.", commas(s.Clients.Documents), commas(d))
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
		if s.Light.Duration > c.Duration {
			s.Light.Duration = c.Duration
		}
	}
	if c.Every > 0 && s.Push.Every > 0 && c.Every != s.Push.Every {
		say("Scaled: a push every %v, every %v in the scenario.", c.Every, s.Push.Every)
		s.Push.Every = c.Every
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
		return "1 to " + times(float64(meant)/float64(is))
	}
	return times(float64(is)/float64(meant)) + " to 1"
}

// times writes a factor: in whole from a hundred on, with two digits behind the
// point below.
func times(v float64) string {
	if v >= 100 {
		return commas(int(v + 0.5))
	}
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

func commas(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
