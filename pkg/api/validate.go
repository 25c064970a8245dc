package api

import (
	"strconv"
	"strings"
	"time"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// The functions of this file are pure: a request in, what the service works with
// or an *InvalidError out. They keep the request's byte slices.

// push is a validated PushRequest.
type push struct {
	names
	all       bool
	namespace string
	event     event
	except    []id.Socket
	filter    filter
	ephemeral bool
	key       string // idempotency key, "" for none
	within    time.Duration
	latestKey string
}

// filter narrows the receivers of a push.
type filter struct {
	authTypes              []string
	minVersion, maxVersion string
	locales                []string
}

// targets lists where the push goes, everybody first.
func (p *push) targets() []id.Target {
	out := make([]id.Target, 0, p.count())
	if p.all {
		out = append(out, id.AllTarget())
	}
	for _, d := range p.documents {
		out = append(out, id.DocTarget(d))
	}
	for _, u := range p.users {
		out = append(out, id.UserTarget(u))
	}
	for _, s := range p.sockets {
		out = append(out, id.SocketTarget(s))
	}
	return out
}

func (p *push) count() int {
	if p.all {
		return p.names.len() + 1
	}
	return p.names.len()
}

// bytes is what the push costs: its size times its targets.
func (p *push) bytes() int { return (p.event.size() + 8*len(p.except)) * p.count() }

func (l Limits) push(req *sluicev1.PushRequest) (*push, error) {
	c := &checker{limits: l}
	p := &push{all: req.GetAll(), key: req.GetIdempotencyKey(), latestKey: req.GetLatestKey()}
	p.names = c.lists("", req.GetSockets(), req.GetUsers(), req.GetDocuments())
	if len(req.GetSockets())+len(req.GetUsers())+len(req.GetDocuments()) == 0 && !p.all {
		c.refuse("sockets", "at least one target is needed, in any list")
	}
	p.namespace = c.namespace("namespace", req.GetNamespace())
	p.event = c.event("event", req.GetEvent())
	if n := len(req.GetExceptSockets()); n > l.MaxExcept {
		c.refuse("except_sockets", "must have at most %d entries", l.MaxExcept)
	} else {
		p.except = c.sockets("except_sockets", req.GetExceptSockets())
	}
	p.filter = c.filter("filter", req.GetFilter())
	p.ephemeral = c.delivery(req.GetDelivery())
	c.pushKeys(p)
	p.within = c.duration("deliver_within", req.GetDeliverWithin(), maxWithin)
	if err := c.err(); err != nil {
		return nil, err
	}
	if p.bytes() > l.MaxPushBytes {
		c.refuse("event", "is too large for so many targets: at most %d bytes over all", l.MaxPushBytes)
	}
	return p, c.err()
}

func (c *checker) delivery(d sluicev1.Delivery) (ephemeral bool) {
	switch d {
	case sluicev1.Delivery_DELIVERY_UNSPECIFIED, sluicev1.Delivery_DELIVERY_DURABLE:
	case sluicev1.Delivery_DELIVERY_EPHEMERAL:
		return true
	default:
		c.refuse("delivery", "is not a known value")
	}
	return false
}

func (c *checker) pushKeys(p *push) {
	if p.key != "" {
		if p.ephemeral {
			c.refuse("idempotency_key", "is for durable pushes only")
		} else {
			c.text("idempotency_key", p.key, 1, maxKey)
		}
	}
	if p.latestKey != "" {
		if !p.ephemeral {
			c.refuse("latest_key", "is for ephemeral pushes only")
		} else {
			c.text("latest_key", p.latestKey, 1, maxKey)
		}
	}
}

func (c *checker) filter(field string, f *sluicev1.Filter) filter {
	out := filter{
		authTypes: f.GetAuthTypes(), locales: f.GetLocales(),
		minVersion: f.GetMinClientVersion(), maxVersion: f.GetMaxClientVersion(),
	}
	c.words(field+".auth_types", out.authTypes)
	low, lowOK := c.version(field+".min_client_version", out.minVersion)
	high, highOK := c.version(field+".max_client_version", out.maxVersion)
	if lowOK && highOK && compareVersions(low, high) > 0 {
		c.refuse(field+".max_client_version", "must not be below the minimum")
	}
	c.words(field+".locales", out.locales)
	return out
}

// words checks a short list of short texts without repetitions.
func (c *checker) words(field string, list []string) {
	if len(list) > c.limits.MaxFilter {
		c.refuse(field, "must have at most %d entries", c.limits.MaxFilter)
		return
	}
	each(c, field, list, func(s string) (string, string) { return s, readText(s, 1, maxFilterText) })
}

// version reads one to five dotted numbers of at most nine digits; ok is false
// for the empty text, which does not narrow, and for what is no version.
func (c *checker) version(field, s string) (parts []int, ok bool) {
	if s == "" {
		return nil, false
	}
	if len(s) <= 49 {
		for part := range strings.SplitSeq(s, ".") {
			n, err := strconv.ParseUint(part, 10, 32)
			if err != nil || len(part) > 9 || len(parts) == 5 {
				parts = nil
				break
			}
			parts = append(parts, int(n))
		}
	}
	if parts == nil {
		c.refuse(field, "must be one to five dotted numbers")
	}
	return parts, parts != nil
}

// compareVersions compares number by number; what is missing counts as zero.
func compareVersions(a, b []int) int {
	for i := range max(len(a), len(b)) {
		var x, y int
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x - y
		}
	}
	return 0
}
