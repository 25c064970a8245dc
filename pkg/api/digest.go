package api

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"

	"sluice/pkg/id"
)

// digest stands for the content of a push: what an idempotency key is bound to. It
// must be the same on every replica and version of this program, so the fields are
// written out by hand: the protobuf encoding makes no such promise. The order of
// targets and filters does not count. A new field is added at the end, and only when
// it is set, so that requests without it keep their digest over an upgrade.
func (p *push) digest() [sha256.Size]byte {
	d := digester{sha256.New()}
	targets := make([]string, 0, p.count())
	for _, t := range p.targets() {
		targets = append(targets, t.String())
	}
	d.set(targets)
	d.text(p.namespace)
	d.text(p.event.name)
	d.text(string(p.event.args))
	d.number(len(p.event.attachments))
	for _, a := range p.event.attachments {
		d.text(string(a))
	}
	d.set(texts(p.except))
	d.set(p.filter.authTypes)
	d.text(p.filter.minVersion)
	d.text(p.filter.maxVersion)
	d.set(p.filter.locales)
	d.number(int(p.within))
	return [sha256.Size]byte(d.Sum(nil))
}

type digester struct{ hash.Hash }

func (d digester) number(n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	d.Write(b[:])
}

// text writes the length first, so that no two lists of fields look alike.
func (d digester) text(s string) {
	d.number(len(s))
	d.Write([]byte(s))
}

func (d digester) set(list []string) {
	list = slices.Sorted(slices.Values(list))
	d.number(len(list))
	for _, s := range list {
		d.text(s)
	}
}

func texts(sockets []id.Socket) []string {
	out := make([]string, len(sockets))
	for i, s := range sockets {
		out[i] = s.String()
	}
	return out
}
