package gateway

import (
	"strings"
	"sync"
)

// interner keeps one copy of strings that many connections share: client
// versions and locales. Clients choose them, so that their number is bounded;
// beyond it a string is simply not shared.
type interner struct {
	mu    sync.RWMutex // guards known
	known map[string]string
}

const maxInterned = 4096

func newInterner() *interner { return &interner{known: make(map[string]string)} }

func (n *interner) of(s string) string {
	n.mu.RLock()
	known, ok := n.known[s]
	n.mu.RUnlock()
	if ok {
		return known
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.known[s]; ok {
		return known
	}
	s = strings.Clone(s)
	if len(n.known) < maxInterned {
		n.known[s] = s
	}
	return s
}
