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

func (k keys) user(u id.User) string     { return string(k.appendUser(nil, u)) }
func (k keys) client(s id.Socket) string { return string(k.appendClient(nil, s)) }
func (k keys) docNodes(d id.Doc) string  { return string(k.appendDocNodes(nil, d)) }
func (k keys) nodes() string             { return k.prefix + ":nodes" }
func (k keys) lease(r id.Replica) string { return k.prefix + ":node:" + r.String() }
func (k keys) sweep(n Node) string       { return k.prefix + ":node:sweep:" + n.text() }

func (k keys) appendUser(b []byte, u id.User) []byte {
	return append(append(append(b, k.prefix...), ":user:clients:"...), u...)
}

func (k keys) appendClient(b []byte, s id.Socket) []byte {
	return s.Append(append(append(b, k.prefix...), ":client:"...))
}

func (k keys) appendDocNodes(b []byte, d id.Doc) []byte {
	return append(append(append(b, k.prefix...), ":guid:nodes:"...), d...)
}

// revoked holds until when the tokens of a user must have been issued to be
// refused, or anything for a single token. "*" is all auth types.
func (k keys) revoked(t RevokedTokens) string { return string(k.appendRevoked(nil, &t)) }

func (k keys) appendRevoked(b []byte, t *RevokedTokens) []byte {
	kind, name, authType := ":revoked:token:", t.ID, t.AuthType
	if t.User != "" {
		kind, name = ":revoked:user:", string(t.User)
	}
	if authType == "" {
		authType = "*"
	}
	b = append(append(append(b, k.prefix...), kind...), authType...)
	return append(append(b, ':'), name...)
}

// revocations holds what was revoked in the last minutes, by time.
func (k keys) revocations() string { return k.prefix + ":revoked:recent" }

// nodeClients holds the sockets of one process, so that they are found when it
// is dead.
func (k keys) nodeClients(n Node) string { return string(k.appendNodeClients(nil, n)) }

func (k keys) appendNodeClients(b []byte, n Node) []byte {
	return n.append(append(append(b, k.prefix...), ":node:clients:"...))
}

// doc names one of the sub-keys of a document's members. The first one has the
// plain name, so that nothing changes for who does not split.
func (k keys) doc(d id.Doc, part int) string { return string(k.appendDoc(nil, d, part)) }

func (k keys) appendDoc(b []byte, d id.Doc, part int) []byte {
	b = append(append(b, k.prefix...), ":guid:clients"...)
	if part != 0 {
		b = strconv.AppendInt(append(b, '.'), int64(part), 10)
	}
	return append(append(b, ':'), d...)
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
	return string(appendMember(make([]byte, 0, id.TextLen+1+tagLen), s, t))
}

func appendMember(b []byte, s id.Socket, t tag) []byte { return t.append(append(s.Append(b), ':')) }

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
func nodeMember(r id.Replica, t tag) string { return string(appendNodeMember(nil, r, t)) }

func appendNodeMember(b []byte, r id.Replica, t tag) []byte {
	return t.append(append(strconv.AppendUint(b, uint64(r), 10), ':'))
}

func parseNodeMember(text string) (holder, bool) {
	number, rest, _ := strings.Cut(text, ":")
	r, err := strconv.ParseUint(number, 10, 16)
	t, ok := parseTag(rest)
	return holder{id.Replica(r), t}, ok && err == nil && id.Replica(r) <= id.MaxReplica
}

// text is the node's name in keys and in the list of nodes.
func (n Node) text() string { return string(n.append(nil)) }

func (n Node) append(b []byte) []byte {
	return append(append(strconv.AppendUint(b, uint64(n.Replica), 10), ':'), n.Boot...)
}

func parseNode(text string) (Node, bool) {
	number, boot, ok := strings.Cut(text, ":")
	r, err := strconv.ParseUint(number, 10, 16)
	return Node{Replica: id.Replica(r), Boot: boot}, ok && err == nil && id.Replica(r) <= id.MaxReplica
}
