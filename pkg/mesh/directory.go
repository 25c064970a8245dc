package mesh

import (
	"context"

	"sluice/pkg/id"
)

// Member is a process that can be called.
type Member struct {
	Replica id.Replica
	Boot    string // changes with every start of the process
	Address string // host:port of its mesh server
	Service string
}

// Directory knows the living. It is asked for every message, so it answers for
// those whom it knows from memory.
type Directory interface {
	// Lookup returns the living process that has the number r now.
	Lookup(r id.Replica) (Member, bool)
	// Find is Lookup, also for a process that may have started a moment ago. For
	// one that is not known it may wait for the answer of others, but not after
	// the end of ctx.
	Find(ctx context.Context, r id.Replica) (Member, bool)
	// Gateways returns all living gateways.
	Gateways() []Member
}
