package gateway

import (
	"strings"
	"sync"
)

// interner keeps one copy of traits that many connections share. Clients choose
// their versions and locales, so that the number of traits is bounded; beyond it
// they are simply not shared.
type interner struct {
	mu    sync.RWMutex // guards known
	known map[traits]*traits
}

const maxInterned = 4096

func newInterner() *interner { return &interner{known: make(map[traits]*traits)} }

func (n *interner) of(t traits) *traits {
	n.mu.RLock()
	known := n.known[t]
	n.mu.RUnlock()
	if known != nil {
		return known
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if known := n.known[t]; known != nil {
		return known
	}
	// What is kept must not hold the token or the packet that it was read from.
	own := &traits{strings.Clone(t.authType), strings.Clone(t.version), strings.Clone(t.locale), t.anonymous}
	if len(n.known) < maxInterned {
		n.known[*own] = own
	}
	return own
}
