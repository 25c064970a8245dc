package swarm

import "sluice/pkg/bench/tally"

// Fault is what happened to one message on its way to one client.
type Fault struct {
	What    What   `json:"what"`
	Client  uint32 `json:"client"`
	Stream  uint32 `json:"stream"`
	Message uint32 `json:"message"`
}

// What can happen to a message.
type What string

// The kinds of faults.
const (
	Lost        What = "lost"
	Doubled     What = "doubled"
	Late        What = "late"        // came after a younger one
	Misdirected What = "misdirected" // came to a client that it was not for
)

// FaultsKept is how many faults of each kind a loop remembers. All are counted.
const FaultsKept = 20

// fault remembers one, as long as there are few.
func (l *loop) fault(what What, c *client, stream, message uint32) {
	if l.kept[what] >= FaultsKept {
		return
	}
	if l.kept == nil {
		l.kept = map[What]int{}
	}
	l.kept[what]++
	l.faults = append(l.faults, Fault{what, l.first + c.index, stream, message})
}

// missed remembers what a session has lost for good.
func (l *loop) missed(c *client, stream uint32, s *tally.Session) {
	for _, n := range l.ledgers[stream].Missed(s, FaultsKept-l.kept[Lost]) {
		l.fault(Lost, c, stream, n)
	}
}

// Faults are the first of each kind so far. Those that are lost now are among
// them: it is for the end of a measurement.
func (s *Swarm) Faults() ([]Fault, error) {
	var all []Fault
	err := s.each(func(l *loop) {
		l.balance() // settles the sessions that have ended
		for i := range l.clients {
			if c := &l.clients[i]; c.state == up && !c.slow {
				l.missed(c, c.stream, &tally.Session{From: c.since, Until: Now(), Seen: c.seen})
			}
		}
		all = append(all, l.faults...)
	})
	return all, err
}
