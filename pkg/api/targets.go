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
	return each(c, field, list, c.socket)
}

func (c *checker) users(field string, list []string) []id.User {
	return each(c, field, list, c.user)
}

func (c *checker) documents(field string, list []string) []id.Doc {
	return each(c, field, list, c.document)
}

// each checks the entries of a list with one, and that none is there twice.
func each[T comparable](c *checker, field string, list []string, one func(field, s string) (T, bool)) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, 0, len(list))
	seen := make(map[T]struct{}, len(list))
	for i, s := range list {
		if c.full() {
			return nil
		}
		v, ok := one(at(field, i), s)
		if !ok {
			continue
		}
		if _, twice := seen[v]; twice {
			c.refuse(at(field, i), "is named twice")
			continue
		}
		seen[v] = struct{}{}
		out = append(out, v)
	}
	return out
}

func (c *checker) socket(field, s string) (id.Socket, bool) {
	v, err := id.ParseSocket(s)
	if s == "" {
		c.refuse(field, "must not be empty")
	} else if err != nil {
		c.refuse(field, "is not a socket id")
	}
	return v, err == nil
}

func (c *checker) user(field, s string) (id.User, bool) {
	if id.CheckUser(s) != nil && c.text(field, s, 1, id.MaxName) {
		c.refuse(field, "is not a user id") // a rule of id that text does not know
	}
	return id.User(s), id.CheckUser(s) == nil
}

func (c *checker) document(field, s string) (id.Doc, bool) {
	if id.CheckDoc(s) != nil && c.text(field, s, 1, id.MaxName) {
		c.refuse(field, "is not a document id")
	}
	return id.Doc(s), id.CheckDoc(s) == nil
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
