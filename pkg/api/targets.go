package api

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/pkg/id"
)

// names is a validated list of sockets, users and documents.
type names struct {
	sockets   []id.Socket
	users     []id.User
	documents []id.Doc
}

func (n *names) len() int { return len(n.sockets) + len(n.users) + len(n.documents) }

// lists checks the lists of a request together: their fields' names begin with
// prefix, their total is bounded, and nothing is named twice.
func (c *checker) lists(prefix string, sockets, users, documents []string) names {
	if total := len(sockets) + len(users) + len(documents); total > c.limits.MaxTargets {
		field := prefix + "sockets"
		switch max(len(sockets), len(users), len(documents)) {
		case len(documents):
			field = prefix + "documents"
		case len(users):
			field = prefix + "users"
		}
		c.refuse(field, "all lists together must have at most %d entries", c.limits.MaxTargets)
		return names{}
	}
	return names{
		sockets:   c.sockets(prefix+"sockets", sockets),
		users:     c.users(prefix+"users", users),
		documents: c.documents(prefix+"documents", documents),
	}
}

func (c *checker) sockets(field string, list []string) []id.Socket {
	return each(c, field, list, readSocket)
}

func (c *checker) users(field string, list []string) []id.User {
	return each(c, field, list, readUser)
}

func (c *checker) documents(field string, list []string) []id.Doc {
	return each(c, field, list, readDocument)
}

// each reads the entries of a list, and checks that none is there twice. read returns
// what is wrong, or "".
func each[T comparable](c *checker, field string, list []string, read func(s string) (T, string)) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, 0, len(list))
	seen := make(map[T]struct{}, len(list))
	for i, s := range list {
		if c.full() {
			return nil
		}
		v, wrong := read(s)
		if _, twice := seen[v]; twice && wrong == "" {
			wrong = "is named twice"
		}
		if wrong != "" {
			c.refuse(at(field, i), wrong)
			continue
		}
		seen[v] = struct{}{}
		out = append(out, v)
	}
	return out
}

// one reads a field that is no list.
func one[T any](c *checker, field, s string, read func(s string) (T, string)) T {
	v, wrong := read(s)
	if wrong != "" {
		c.refuse(field, wrong)
	}
	return v
}

func readSocket(s string) (id.Socket, string) {
	v, err := id.ParseSocket(s)
	switch {
	case s == "":
		return 0, "must not be empty"
	case err != nil:
		return 0, "is not a socket id"
	}
	return v, ""
}

func readUser(s string) (id.User, string) { return id.User(s), readName(s, id.CheckUser(s)) }

func readDocument(s string) (id.Doc, string) { return id.Doc(s), readName(s, id.CheckDoc(s)) }

// readName puts id's verdict on a name into words that do not repeat it.
func readName(s string, err error) string {
	if err == nil {
		return ""
	}
	if wrong := readText(s, 1, id.MaxName); wrong != "" {
		return wrong
	}
	return "is not a valid id" // a rule of id that readText does not know
}

// duration checks an optional duration of 0 to high.
func (c *checker) duration(field string, d *durationpb.Duration, high time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	if d.CheckValid() != nil {
		c.refuse(field, "is not a valid duration")
		return 0
	}
	v := d.AsDuration()
	if v < 0 || v > high {
		c.refuse(field, "must be between 0 and %s", high)
		return 0
	}
	return v
}
