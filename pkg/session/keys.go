package session

import (
	"strconv"
	"strings"

	"sluice/pkg/id"
)

// keys names the index's keys. The name of a user or document comes last,
// because it may hold anything but control characters.
type keys struct {
	prefix string
	parts  int
}

func (k keys) user(u id.User) string     { return k.prefix + ":user:clients:" + string(u) }
func (k keys) client(s id.Socket) string { return k.prefix + ":client:" + s.String() }
func (k keys) docNodes(d id.Doc) string  { return k.prefix + ":guid:nodes:" + string(d) }
func (k keys) nodes() string             { return k.prefix + ":nodes" }
func (k keys) lease(r id.Replica) string { return k.prefix + ":node:" + r.String() }
func (k keys) sweep(n Node) string       { return k.prefix + ":node:sweep:" + n.text() }

// revoked holds until when the tokens of a user must have been issued to be
// refused, or anything for a single token. "*" is all auth types.
func (k keys) revoked(t RevokedTokens) string {
	authType := t.AuthType
	if authType == "" {
		authType = "*"
	}
	if t.User != "" {
		return k.prefix + ":revoked:user:" + authType + ":" + string(t.User)
	}
	return k.prefix + ":revoked:token:" + authType + ":" + t.ID
}

// revocations holds what was revoked in the last minutes, by time.
func (k keys) revocations() string { return k.prefix + ":revoked:recent" }

// nodeClients holds the sockets of one process, so that they are found when it
// is dead.
func (k keys) nodeClients(n Node) string { return k.prefix + ":node:clients:" + n.text() }

// doc names one of the sub-keys of a document's members. The first one has the
// plain name, so that nothing changes for who does not split.
func (k keys) doc(d id.Doc, part int) string {
	if part == 0 {
		return k.prefix + ":guid:clients:" + string(d)
	}
	return k.prefix + ":guid:clients." + strconv.Itoa(part) + ":" + string(d)
}

// part chooses the sub-key of a socket. Ids of one millisecond differ in their
// lowest bits only, so they are mixed.
func (k keys) part(s id.Socket) int {
	if k.parts == 1 {
		return 0
	}
	return int(mix(uint64(s)) % uint64(k.parts))
}

func (k keys) docOf(d id.Doc, s id.Socket) string { return k.doc(d, k.part(s)) }

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// hashOf is FNV-1a, mixed.
func hashOf(name string) uint64 {
	h := uint64(14695981039346656037)
	for n := 0; n < len(name); n++ {
		h = (h ^ uint64(name[n])) * 1099511628211
	}
	return mix(h)
}

// tag is short for a boot. A list's member carries it, so that the sockets of a
// process are told from those of its successor under the same replica number
// without asking for each of them.
type tag uint32

func tagOf(boot string) tag { return tag(hashOf(boot)) }

const tagLen = 8

func (t tag) append(b []byte) []byte {
	const digits = "0123456789abcdef"
	for shift := 4 * (tagLen - 1); shift >= 0; shift -= 4 {
		b = append(b, digits[t>>shift&15])
	}
	return b
}

func parseTag(text string) (tag, bool) {
	if len(text) != tagLen {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 16, 32)
	return tag(n), err == nil
}

// member is how a user's or a document's list names a socket: the socket's
// text, a colon, and the tag of the boot that holds it.
func member(s id.Socket, t tag) string {
	b := s.Append(make([]byte, 0, id.TextLen+1+tagLen))
	return string(t.append(append(b, ':')))
}

// socketText is the socket's text in a member, without another one in memory.
func socketText(member string) string { return member[:id.TextLen] }

func parseMember(text string) (id.Socket, tag, bool) {
	if len(text) != id.TextLen+1+tagLen || text[id.TextLen] != ':' {
		return 0, 0, false
	}
	s, err := id.ParseSocket(text[:id.TextLen])
	t, ok := parseTag(text[id.TextLen+1:])
	return s, t, ok && err == nil
}

// nodeMember is how a document's list of replicas names one: its number, a
// colon, and the tag of its boot.
func nodeMember(r id.Replica, t tag) string {
	return string(t.append(append(strconv.AppendUint(nil, uint64(r), 10), ':')))
}

func parseNodeMember(text string) (holder, bool) {
	number, rest, _ := strings.Cut(text, ":")
	r, err := strconv.ParseUint(number, 10, 16)
	t, ok := parseTag(rest)
	return holder{id.Replica(r), t}, ok && err == nil && id.Replica(r) <= id.MaxReplica
}

// text is the node's name in keys and in the list of nodes.
func (n Node) text() string { return n.Replica.String() + ":" + n.Boot }

func parseNode(text string) (Node, bool) {
	number, boot, ok := strings.Cut(text, ":")
	r, err := strconv.ParseUint(number, 10, 16)
	return Node{Replica: id.Replica(r), Boot: boot}, ok && err == nil && id.Replica(r) <= id.MaxReplica
}
