package session

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"sluice/pkg/id"
)

// The fields of ws:client:{socket}. Each document has a field of its own, with
// the version of the join, so that joins and leaves need not rewrite the rest.
const (
	fieldUser    = "user"
	fieldReplica = "replica"
	fieldBoot    = "boot"
	fieldAuth    = "auth_type"
	fieldVersion = "version"
	fieldLocale  = "locale"
	fieldSince   = "since" // Unix milliseconds
	fieldDoc     = "doc:"  // and the document
)

// record appends the fields and values of c to args, for HSET.
func (s *sheet) record(c *Client, version int64) {
	s.args = append(s.args, fieldUser, s.string(string(c.User)), fieldReplica, s.int(int64(c.Replica)), fieldBoot, s.string(c.Boot),
		fieldAuth, s.string(c.AuthType), fieldVersion, s.string(c.ClientVersion), fieldLocale, s.string(c.Locale),
		fieldSince, s.int(c.Since.UnixMilli()))
	for n, d := range c.Docs {
		s.text = append(s.text, fieldDoc...)
		// Their order is kept, and none is above the version.
		s.args = append(s.args, s.string(string(d)), s.int(version-int64(len(c.Docs)-1-n)))
	}
}

// parseRecord reads a record; ok is false when there is none, or only the
// remains of one.
func parseRecord(s id.Socket, fields map[string]string) (c Client, ok bool) {
	boot, ok := fields[fieldBoot]
	if !ok {
		return Client{}, false
	}
	c = Client{
		Socket:        s,
		User:          id.User(fields[fieldUser]),
		Replica:       s.Replica(),
		Boot:          boot,
		AuthType:      fields[fieldAuth],
		ClientVersion: fields[fieldVersion],
		Locale:        fields[fieldLocale],
	}
	if r, err := strconv.ParseUint(fields[fieldReplica], 10, 16); err == nil {
		c.Replica = id.Replica(r)
	}
	if ms, err := strconv.ParseInt(fields[fieldSince], 10, 64); err == nil {
		c.Since = time.UnixMilli(ms)
	}
	c.Seen = c.Since
	versions := make(map[id.Doc]int64)
	for name, value := range fields {
		if d, ok := strings.CutPrefix(name, fieldDoc); ok {
			c.Docs = append(c.Docs, id.Doc(d))
			versions[id.Doc(d)], _ = strconv.ParseInt(value, 10, 64)
		}
	}
	sort.Slice(c.Docs, func(i, j int) bool {
		a, b := c.Docs[i], c.Docs[j]
		if versions[a] != versions[b] {
			return versions[a] < versions[b]
		}
		return a < b
	})
	return c, true
}

// scoreTime turns a score, Unix microseconds, to a time.
func scoreTime(score float64) time.Time { return time.UnixMicro(int64(score)) }

func contains(docs []id.Doc, d id.Doc) bool {
	for _, x := range docs {
		if x == d {
			return true
		}
	}
	return false
}
