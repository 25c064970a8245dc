package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/pkg/id"
)

// ComponentConfig is one [[component]] entry: who a caller is and what it may do.
// Everything is an allow-list; an empty list allows nothing.
type ComponentConfig struct {
	// Name is what the caller sends as sluice-component: 1 to 63 lower-case letters,
	// digits, dots, dashes and underscores. It is also a metric label and part of
	// the consumer group's name, so renaming a component starts a new group.
	Name string `toml:"name"`
	// Tokens are the secrets that prove it, at least 16 bytes each. Several allow a
	// change without an interruption: add the new one, change the callers, remove
	// the old one. Secret.
	Tokens []string `toml:"tokens"`
	// Certificate is the common name, or a DNS or URI alternative name, of a client
	// certificate that proves it instead of a token. Empty allows none.
	Certificate string `toml:"certificate"`
	// Methods are the calls it may make, as the proto names them ("Push", "Call"),
	// or "*" for all. "PushAll" allows Push and PushStream to address everybody.
	Methods []string `toml:"methods"`
	// Documents are the prefixes of the documents that it may push to, list, join
	// and leave, and whose names it sees; "*" for all. A trailing "*" changes nothing.
	Documents []string `toml:"documents"`
	// Events are the client events that Subscribe delivers: names, or beginnings
	// with a trailing "*".
	Events []string `toml:"events"`
	// Namespaces are those that Subscribe delivers events of, in the same form.
	// Empty means "/" alone.
	Namespaces []string `toml:"namespaces"`
	// Presence makes Subscribe deliver the sockets' coming and going as well.
	// Default false: it is one event for each of them.
	Presence bool `toml:"presence"`
	// Quotas bound how much it may ask for.
	Quotas QuotaConfig `toml:"quotas"`
}

// QuotaConfig holds a component's quotas on this process. What is beyond is
// RESOURCE_EXHAUSTED with the time to come back; a PushStream waits instead.
type QuotaConfig struct {
	// Pushes is the number of pushes per second. Default and zero: no bound.
	Pushes float64 `toml:"pushes"`
	// PushBurst is how many pushes may come at once. Zero means one second's worth.
	PushBurst int `toml:"push_burst"`
	// Bytes is the number of bytes per second, payload times targets, so that one
	// push to many is not cheaper than many pushes. Default and zero: no bound.
	Bytes float64 `toml:"bytes"`
	// InFlight is how many calls may be open at once, subscriptions not counted.
	// Default and zero: no bound.
	InFlight int `toml:"in_flight"`
}

const minToken = 16

var (
	componentName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	methodNames   = []string{
		"Push", "PushAll", "PushStream", "Call", "Join", "Leave", "Kick", "GetSocket",
		"ListSockets", "CountSockets", "Subscribe", "Reply", "Revoke",
	}
)

// component is a compiled entry. It does not change.
type component struct {
	name       string
	tokens     [][sha256.Size]byte
	methods    map[string]bool
	documents  []string
	events     patterns
	namespaces patterns
	presence   bool
	quota      *quota
}

func (c *component) mayCall(method string) bool { return c.methods[method] }

// mayDocument reports whether d begins with one of the component's prefixes.
func (c *component) mayDocument(d id.Doc) bool {
	return slices.ContainsFunc(c.documents, func(p string) bool { return strings.HasPrefix(string(d), p) })
}

// mayDocuments returns ErrDocument unless all are allowed.
func (c *component) mayDocuments(docs []id.Doc) error {
	for _, d := range docs {
		if !c.mayDocument(d) {
			return ErrDocument
		}
	}
	return nil
}

// visible returns the documents that the component may see.
func (c *component) visible(docs []id.Doc) []string {
	var out []string
	for _, d := range docs {
		if c.mayDocument(d) {
			out = append(out, string(d))
		}
	}
	return out
}

// patterns are names, or beginnings of names with a trailing "*".
type patterns struct {
	exact    map[string]bool
	prefixes []string
}

func newPatterns(list []string) patterns {
	p := patterns{exact: map[string]bool{}}
	for _, s := range list {
		if head, ok := strings.CutSuffix(s, "*"); ok {
			p.prefixes = append(p.prefixes, head)
		} else {
			p.exact[s] = true
		}
	}
	return p
}

func (p patterns) match(s string) bool {
	return p.exact[s] || slices.ContainsFunc(p.prefixes, func(head string) bool { return strings.HasPrefix(s, head) })
}

// components are all entries, built and swapped as a whole.
type components struct {
	byName        map[string]*component
	byCertificate map[string]*component
}

// compile checks the entries and returns them compiled, or all problems.
func compile(entries []ComponentConfig) (*components, error) {
	out := &components{byName: map[string]*component{}, byCertificate: map[string]*component{}}
	var p problems
	if len(entries) == 0 {
		p.add("component: at least one entry is needed")
	}
	for i := range entries {
		e := &entries[i]
		key := fmt.Sprintf("component[%d]", i)
		e.problems(key, &p)
		c := e.compile()
		if out.byName[c.name] != nil {
			p.add("%s.name: is used by an earlier entry", key)
		}
		out.byName[c.name] = c
		if e.Certificate == "" {
			continue
		}
		if out.byCertificate[e.Certificate] != nil {
			p.add("%s.certificate: is used by an earlier entry", key)
		}
		out.byCertificate[e.Certificate] = c
	}
	return out, errors.Join(p.errs...)
}

func (e *ComponentConfig) problems(key string, p *problems) {
	if !componentName.MatchString(e.Name) {
		p.add("%s.name: must be 1 to 63 lower-case letters, digits, dots, dashes and underscores", key)
	}
	if len(e.Tokens) == 0 && e.Certificate == "" {
		p.add("%s.tokens: a token or a certificate is needed", key)
	}
	for i, t := range e.Tokens {
		if len(t) < minToken {
			p.add("%s.tokens[%d]: must have at least %d bytes", key, i, minToken)
		}
	}
	if len(e.Methods) == 0 {
		p.add("%s.methods: at least one is needed", key)
	}
	for i, m := range e.Methods {
		if m != "*" && !slices.Contains(methodNames, m) {
			p.add("%s.methods[%d]: must be \"*\" or one of %s", key, i, strings.Join(methodNames, ", "))
		}
	}
	for field, list := range map[string][]string{"documents": e.Documents, "events": e.Events, "namespaces": e.Namespaces} {
		for i, s := range list {
			if s == "" || strings.Contains(strings.TrimSuffix(s, "*"), "*") {
				p.add("%s.%s[%d]: must not be empty, and a * stands only at the end", key, field, i)
			}
		}
	}
	e.Quotas.problems(key+".quotas", p)
}

func (q *QuotaConfig) problems(key string, p *problems) {
	for field, v := range map[string]float64{"pushes": q.Pushes, "bytes": q.Bytes} {
		if !(v >= 0 && v <= 1e12) {
			p.add("%s.%s: must be 0 to 1e12, is %v", key, field, v)
		}
	}
	p.between(key+".push_burst", q.PushBurst, 0, 1_000_000)
	p.between(key+".in_flight", q.InFlight, 0, 1_000_000)
}

func (e *ComponentConfig) compile() *component {
	c := &component{
		name: e.Name, methods: map[string]bool{}, presence: e.Presence,
		events: newPatterns(e.Events), namespaces: newPatterns(e.Namespaces), quota: newQuota(e.Quotas),
	}
	if len(e.Namespaces) == 0 {
		c.namespaces = newPatterns([]string{"/"})
	}
	for _, t := range e.Tokens {
		c.tokens = append(c.tokens, sha256.Sum256([]byte(t)))
	}
	for _, m := range e.Methods {
		if m != "*" {
			c.methods[m] = true
			continue
		}
		for _, name := range methodNames {
			c.methods[name] = true
		}
	}
	for _, d := range e.Documents {
		c.documents = append(c.documents, strings.TrimSuffix(d, "*"))
	}
	return c
}
