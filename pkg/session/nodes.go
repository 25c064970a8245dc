package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// nodes is who lives, at one moment. It is immutable.
type nodes struct {
	at     time.Time
	living []Node
	alive  map[id.Replica]nodeTag
	dead   []Node              // listed, without a lease: not swept yet
	leased map[id.Replica]bool // which replica numbers have a lease at all
}

type nodeTag struct {
	boot string
	tag  tag
}

// has tells whether what a process holds is alive.
func (n *nodes) has(h holder) bool {
	a, ok := n.alive[h.replica]
	return ok && a.tag == h.tag
}

// listed tells whether a process lives, or is dead and not swept yet.
func (n *nodes) listed(h holder) bool {
	return n.has(h) || slices.ContainsFunc(n.dead, func(d Node) bool { return holder{d.Replica, tagOf(d.Boot)} == h })
}

// nodesView keeps the latest nodes. One caller at a time asks Redis.
type nodesView struct {
	asking chan struct{} // holds a token while nobody asks; made by once
	once   sync.Once
	mu     sync.Mutex // guards latest
	latest *nodes
}

// soon is how old the list of nodes must at least be before a node that is not
// in it makes us ask again.
const soon = 100 * time.Millisecond

// Living returns the replicas that hold a lease. It may be as old as
// Config.NodesFor.
func (i *Index) Living(ctx context.Context) ([]Node, error) {
	n, err := i.nodes(ctx, i.cfg.NodesFor)
	if err != nil {
		return nil, err
	}
	return append([]Node(nil), n.living...), nil
}

// nodes returns who lives, at most age old.
func (i *Index) nodes(ctx context.Context, age time.Duration) (*nodes, error) {
	v := &i.view
	v.once.Do(func() { v.asking = make(chan struct{}, 1) })
	called := i.now()
	fresh := func() *nodes {
		v.mu.Lock()
		defer v.mu.Unlock()
		// What was asked for after our call is fresh enough, however slow.
		if n := v.latest; n != nil && (called.Sub(n.at) < age || n.at.After(called)) {
			return n
		}
		return nil
	}
	if n := fresh(); n != nil {
		return n, nil
	}
	select {
	case v.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-v.asking }()
	if n := fresh(); n != nil {
		return n, nil
	}
	n, err := i.loadNodes(ctx)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	v.latest = n
	v.mu.Unlock()
	return n, nil
}

// judge returns the nodes to judge sockets by. When known says that the present
// list lacks one, which may have come a moment ago, it asks again.
func (i *Index) judge(ctx context.Context, known func(*nodes) bool) (*nodes, error) {
	n, err := i.nodes(ctx, i.cfg.NodesFor)
	if err != nil || known(n) {
		return n, err
	}
	return i.nodes(ctx, min(soon, i.cfg.NodesFor))
}

func (i *Index) loadNodes(ctx context.Context) (n *nodes, err error) {
	stop := i.time("nodes")
	defer func() { stop(err) }()
	n = &nodes{at: i.now(), alive: make(map[id.Replica]nodeTag), leased: make(map[id.Replica]bool)}
	p := i.pipe()
	all := p.ZRange(ctx, i.keys.nodes(), 0, -1)
	if err := p.exec(ctx); err != nil {
		return nil, fmt.Errorf("list the replicas: %w", err)
	}
	p = i.pipe()
	var listed []Node
	var leases []*redis.StringCmd
	for _, text := range all.Val() {
		if node, ok := parseNode(text); ok {
			listed = append(listed, node)
			leases = append(leases, p.Get(ctx, i.keys.lease(node.Replica)))
		}
	}
	if err := p.exec(ctx); err != nil {
		return nil, fmt.Errorf("list the replicas: %w", err)
	}
	for k, node := range listed {
		_, boot, ok := parseLease(leases[k].Val())
		n.leased[node.Replica] = ok
		if ok && boot == node.Boot {
			n.living = append(n.living, node)
			n.alive[node.Replica] = nodeTag{boot, tagOf(boot)}
		} else {
			n.dead = append(n.dead, node)
		}
	}
	return n, nil
}

// A lease reads "started boot": when the process began, in Unix microseconds,
// and its boot id.
func parseLease(text string) (started int64, boot string, ok bool) {
	number, boot, ok := strings.Cut(text, " ")
	started, err := strconv.ParseInt(number, 10, 64)
	return started, boot, ok && err == nil
}
