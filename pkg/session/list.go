package session

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// list is what Redis knows of a user or document, of living and dead replicas
// alike.
type list struct {
	entries []entry  // sorted by socket
	holders []holder // each process that holds one of them, once
}

type entry struct {
	socket id.Socket
	tag    tag
	at     int64 // Unix microseconds
}

// holder is a process, as the lists name it.
type holder struct {
	replica id.Replica
	tag     tag
}

func (e entry) holder() holder { return holder{e.socket.Replica(), e.tag} }

func (l list) size() int { return len(l.entries) + len(l.holders) }

// knownTo tells whether all holders live. If not, they are dead or very young.
func (l list) knownTo(n *nodes) bool {
	return !slices.ContainsFunc(l.holders, func(h holder) bool { return !n.has(h) })
}

// Bounds of a page of OfUser and OfDoc.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// OfUser lists a user's sockets, sorted by id, in pages of at most limit (zero:
// 100, at most 1000). Begin with after empty and go on with next until that is
// empty. Sockets that come and go between two pages may be in or out; all others
// are listed exactly once.
func (i *Index) OfUser(ctx context.Context, u id.User, after string, limit int) (page []Seen, next string, err error) {
	stop := i.time("of_user")
	defer func() { stop(err) }()
	return i.page(ctx, []string{i.keys.user(u)}, after, limit)
}

// OfDoc lists a document's members as OfUser does. The answers about a hot
// document may be as old as Config.CacheFor, but have no socket of a replica
// that is known to be dead.
func (i *Index) OfDoc(ctx context.Context, d id.Doc, after string, limit int) (page []Seen, next string, err error) {
	stop := i.time("of_doc")
	defer func() { stop(err) }()
	return i.page(ctx, i.docKeys(d), after, limit)
}

// CountUser counts a user's sockets.
func (i *Index) CountUser(ctx context.Context, u id.User) (n int, err error) {
	stop := i.time("count_user")
	defer func() { stop(err) }()
	return i.count(ctx, []string{i.keys.user(u)})
}

// CountDoc counts a document's members.
func (i *Index) CountDoc(ctx context.Context, d id.Doc) (n int, err error) {
	stop := i.time("count_doc")
	defer func() { stop(err) }()
	return i.count(ctx, i.docKeys(d))
}

func (i *Index) docKeys(d id.Doc) []string {
	keys := make([]string, i.cfg.Parts)
	for part := range keys {
		keys[part] = i.keys.doc(d, part)
	}
	return keys
}

func (i *Index) page(ctx context.Context, keys []string, after string, limit int) ([]Seen, string, error) {
	var from id.Socket
	if after != "" {
		var err error
		if from, err = id.ParseSocket(after); err != nil {
			return nil, "", ErrCursor
		}
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	l, n, err := i.list(ctx, keys)
	if err != nil {
		return nil, "", err
	}
	start, _ := slices.BinarySearchFunc(l.entries, from+1, func(e entry, s id.Socket) int { return cmp.Compare(e.socket, s) })
	var page []Seen
	for _, e := range l.entries[start:] {
		if !n.has(e.holder()) {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].Socket.String(), nil
		}
		page = append(page, Seen{e.socket, time.UnixMicro(e.at)})
	}
	return page, "", nil
}

func (i *Index) count(ctx context.Context, keys []string) (int, error) {
	n, err := i.nodes(ctx, i.cfg.NodesFor)
	if err != nil {
		return 0, err
	}
	if len(n.dead) == 0 {
		// Nobody has left anything behind, so the sizes of the sets are right.
		return i.card(ctx, keys)
	}
	l, n, err := i.list(ctx, keys)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, e := range l.entries {
		if n.has(e.holder()) {
			count++
		}
	}
	return count, nil
}

func (i *Index) card(ctx context.Context, keys []string) (int, error) {
	count, from, err := i.cards.get(ctx, keys[0], func(ctx context.Context) (int, error) {
		p := i.pipe()
		cards := make([]*redis.IntCmd, len(keys))
		for k, key := range keys {
			cards[k] = p.ZCard(ctx, key)
		}
		if err := p.exec(ctx); err != nil {
			return 0, fmt.Errorf("count a list of the index: %w", err)
		}
		count := 0
		for _, c := range cards {
			count += int(c.Val())
		}
		return count, nil
	})
	i.m.lookups.WithLabelValues(string(from)).Inc()
	return count, err
}

// list returns a whole list and the nodes to filter it by.
func (i *Index) list(ctx context.Context, keys []string) (list, *nodes, error) {
	return i.listBy(ctx, keys[0], func(ctx context.Context) (list, error) {
		entries, err := i.scan(ctx, keys)
		if err != nil {
			return list{}, fmt.Errorf("read a list of the index: %w", err)
		}
		seen := make(map[holder]bool)
		for _, e := range entries {
			seen[e.holder()] = true
		}
		return list{entries: entries, holders: slices.Collect(maps.Keys(seen))}, nil
	})
}

func (i *Index) listBy(ctx context.Context, key string, load func(context.Context) (list, error)) (list, *nodes, error) {
	l, from, err := i.lists.get(ctx, key, load)
	i.m.lookups.WithLabelValues(string(from)).Inc()
	if err != nil {
		return list{}, nil, err
	}
	n, err := i.judge(ctx, l.knownTo)
	return l, n, err
}

// scan reads sets in steps, so that a large one does not hold up Redis.
func (i *Index) scan(ctx context.Context, keys []string) ([]entry, error) {
	cursors := make([]uint64, len(keys))
	open := make([]int, len(keys))
	for k := range keys {
		open[k] = k
	}
	var entries []entry
	for len(open) > 0 {
		p := i.pipe()
		cmds := make([]*redis.ScanCmd, len(open))
		for j, k := range open {
			cmds[j] = p.ZScan(ctx, keys[k], cursors[k], "", maxLimit)
		}
		if err := p.exec(ctx); err != nil {
			return nil, err
		}
		var again []int
		for j, k := range open {
			members, next := cmds[j].Val()
			entries = appendEntries(entries, members)
			if cursors[k] = next; next != 0 {
				again = append(again, k)
			}
		}
		open = again
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.socket, b.socket), cmp.Compare(b.at, a.at))
	})
	// A scan may return a member twice.
	return slices.CompactFunc(entries, func(a, b entry) bool { return a.socket == b.socket }), nil
}

// appendEntries reads the answer of ZSCAN: member, score, member, score.
func appendEntries(entries []entry, members []string) []entry {
	for k := 0; k+1 < len(members); k += 2 {
		s, t, ok := parseMember(members[k])
		score, err := strconv.ParseFloat(members[k+1], 64)
		if ok && err == nil {
			entries = append(entries, entry{s, t, int64(score)})
		}
	}
	return entries
}

// Nodes returns the living replicas that have members of the document, in no
// order. The answer about a hot document may be as old as Config.CacheFor.
func (i *Index) Nodes(ctx context.Context, d id.Doc) (replicas []id.Replica, err error) {
	stop := i.time("doc_nodes")
	defer func() { stop(err) }()
	key := i.keys.docNodes(d)
	l, n, err := i.listBy(ctx, key, func(ctx context.Context) (list, error) {
		p := i.pipe()
		cmd := p.ZRange(ctx, key, 0, -1)
		if err := p.exec(ctx); err != nil {
			return list{}, fmt.Errorf("read a document's replicas: %w", err)
		}
		var l list
		for _, m := range cmd.Val() {
			if h, ok := parseNodeMember(m); ok {
				l.holders = append(l.holders, h)
			}
		}
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	for _, h := range l.holders {
		if n.has(h) {
			replicas = append(replicas, h.replica)
		}
	}
	return replicas, nil
}
