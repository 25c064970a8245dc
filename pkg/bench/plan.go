package bench

import (
	"errors"
	"fmt"
	"net/netip"
)

// limits are the system's, as far as they bound a plan.
type limits struct {
	files int // open at once in one process
	ports int // of one address to another's one
}

// group is the clients of one worker.
type group struct {
	First   uint32       `json:"first"`
	Count   uint32       `json:"count"`
	Sources []netip.Addr `json:"sources"`
}

const (
	spareFiles    = 200    // of a worker, beside its clients
	clientsEach   = 10_000 // of a worker, unless told otherwise
	timeWait      = 60     // seconds that a port rests after its client has left
	sourcesEach   = 250    // addresses of one worker
	workersAtMost = 100
)

// errPlan begins what is said about a plan that does not fit.
var errPlan = errors.New("this does not fit")

// makePlan spreads the clients over workers and addresses, and refuses what the
// limits do not allow. The number of workers is chosen when it is 0.
func makePlan(s *Scenario, servers []netip.AddrPort, given []netip.Addr, workers int, lim limits) ([]group, error) {
	sockets := s.Clients.Sockets
	room := lim.files - spareFiles
	if room <= 0 {
		return nil, fmt.Errorf("%w: a process may have %d open files here, and a worker needs %d besides its clients", errPlan, lim.files, spareFiles)
	}
	if workers == 0 {
		workers = (sockets + min(clientsEach, room) - 1) / min(clientsEach, room)
	}
	workers = min(workers, sockets)
	each := (sockets + workers - 1) / workers
	switch {
	case each > room:
		return nil, fmt.Errorf("%w: %s clients in each of %d workers, and a process may have %s open files: at least %d workers are needed",
			errPlan, commas(each), workers, commas(lim.files), (sockets+room-1)/room)
	case workers > workersAtMost:
		return nil, fmt.Errorf("%w: %d workers; %d is the most", errPlan, workers, workersAtMost)
	}
	// What one worker's clients take of the ports to one server, with those that rest.
	ports := (float64(each) + s.Churn.PerSecond*float64(each)*timeWait + s.Cut.Share*float64(each)) / float64(len(servers))
	needed := int(ports/(float64(lim.ports)*0.8)) + 1
	groups := make([]group, workers)
	for i := range groups {
		first := sockets * i / workers
		groups[i] = group{First: uint32(first), Count: uint32(sockets*(i+1)/workers - first)}
		switch {
		case len(given) > 0:
			groups[i].Sources = given
		case loopback(servers):
			groups[i].Sources = sources(i, min(needed, sourcesEach))
		}
	}
	have := sourcesEach * workers
	if len(given) > 0 {
		have = len(given)
	} else if !loopback(servers) {
		have = 1
	}
	if needed*workers > have && (len(given) > 0 || !loopback(servers)) {
		return nil, fmt.Errorf("%w: the clients need %d source addresses (%s ports each to each server), there are %d: give the target more sources",
			errPlan, needed*workers, commas(lim.ports), have)
	}
	return groups, nil
}

func loopback(servers []netip.AddrPort) bool {
	for _, s := range servers {
		if !s.Addr().Is4() || !s.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// sources are addresses of loopback that no other worker has.
func sources(worker, n int) []netip.Addr {
	var all []netip.Addr
	for i := range n {
		all = append(all, netip.AddrFrom4([4]byte{127, byte(100 + worker), 0, byte(1 + i)}))
	}
	return all
}

// checkServers refuses a plan that the servers' own limits do not allow, as far
// as they can be seen.
func checkServers(sockets, servers int, files map[int]int) error {
	each := (sockets + servers - 1) / servers
	for pid, limit := range files {
		// Servers need some for themselves; Sluice takes nine tenths for clients.
		if room := limit / 10 * 9; each > room {
			return fmt.Errorf("%w: each of %d servers would hold %s connections, and process %d may have %s open files, nine tenths of them for clients: at least %d servers are needed",
				errPlan, servers, commas(each), pid, commas(limit), (sockets+max(room, 1)-1)/max(room, 1))
		}
	}
	return nil
}
