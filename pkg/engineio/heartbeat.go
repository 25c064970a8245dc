package engineio

// Policy is when to ping and when to give up. All times are milliseconds.
//
// With GrowAfter 0 the server pings every Interval and gives up Timeout after a
// ping that nothing followed. Otherwise the interval is the session's own: it
// begins at Start, grows by Step after each GrowAfter good beats up to Interval,
// and falls to Retry when nothing was heard for Missed after a ping; that ping
// is then repeated every Retry. Giving up is the same.
//
// Generation 3, where the client pings, has the interval that it was told at the
// start. Only a client that asked for it is told another one; then it grows and
// falls in the same way, and giving up comes Timeout after the interval.
type Policy struct {
	Interval int64 // told to clients: they expect a ping within Interval + Timeout
	Timeout  int64
	Start    int64
	Step     int64
	Retry    int64
	Missed   int64
	// Slack is how late Tick may come: a ping that leaves late by up to this counts
	// from when it was due, so that lateness does not add up.
	Slack int64
	// GrowAfter is how many good beats make the interval grow, 0 for an
	// interval that never changes.
	GrowAfter uint8
}

// Heartbeat is one session's heartbeat. It is told the time and when something
// was last heard; any packet counts. It does not have to be told of each packet.
//
// Invariant: sent <= last; they differ while a missed ping is being repeated. In
// generation 3 last is when the client was last known to be heard, or to have
// missed a beat, and sent then the end of its time.
type Heartbeat struct {
	sent     int64  // when the oldest unanswered ping left, less the slack
	last     int64  // when the last ping left, in the same way, or the session was opened
	interval uint32 // ms between pings now
	good     uint8  // beats since the interval changed
	awaiting bool   // a ping has left and nothing is known to have followed
	missed   bool   // and it is being repeated
	asks     bool   // the client is to be told when the interval changes
}

// Beat is what to do now.
type Beat uint8

const (
	Quiet    Beat = iota // nothing
	SendPing             // ping the client
	Dead                 // nothing was heard for too long: close the session
)

// Begin starts the heartbeat of a session opened now. asks tells that its client
// wants to know when the interval changes. next is when to call Tick.
func (h *Heartbeat) Begin(p *Policy, v Version, asks bool, now int64) (next int64) {
	*h = Heartbeat{last: now, interval: uint32(p.Interval), asks: asks && p.GrowAfter > 0}
	if p.GrowAfter > 0 && (v != V3 || h.asks) {
		h.interval = uint32(p.Start)
	}
	switch {
	case v != V3:
		return now + int64(h.interval)
	case h.asks:
		return h.nextHeard(p)
	default:
		return now + p.Interval + p.Timeout
	}
}

// Tick says what to do at now, and when to call it again. Calls that come early
// do no harm. seen is when something was last heard.
func (h *Heartbeat) Tick(p *Policy, v Version, now, seen int64) (b Beat, next int64) {
	if v == V3 {
		if h.asks {
			return h.listen(p, now, seen)
		}
		return patience(p, now, seen)
	}
	if h.awaiting && seen >= h.sent {
		h.answered(p)
	}
	switch {
	case h.awaiting && now >= h.sent+p.Timeout:
		return Dead, now
	case h.awaiting && p.GrowAfter > 0 && now >= h.last+h.doubt(p):
		h.missed, h.good, h.interval, h.last = true, 0, uint32(p.Retry), now
		b = SendPing
	case !h.awaiting && now >= h.last+int64(h.interval):
		at := max(h.last+int64(h.interval), now-p.Slack)
		h.sent, h.last, h.awaiting = at, at, true
		b = SendPing
	}
	return b, h.next(p, now)
}

// Overdue tells whether the session's time is over, even if Tick, which comes
// late, has not said so yet.
func (h *Heartbeat) Overdue(p *Policy, v Version, now, seen int64) bool {
	switch {
	case v == V3 && !h.asks:
		return now >= seen+p.Interval+p.Timeout
	case v == V3 && h.missed && seen <= h.last:
		return now >= h.sent
	case v == V3:
		return now >= max(seen, h.last)+int64(h.interval)+p.Timeout
	case h.awaiting && seen < h.sent:
		return now >= h.sent+p.Timeout
	default:
		return now >= max(seen, h.last+int64(h.interval))+p.Timeout
	}
}

// Interval is the time between pings now, in milliseconds.
func (h *Heartbeat) Interval() int64 { return int64(h.interval) }

// Asks tells that the client is to be told when Interval changes.
func (h *Heartbeat) Asks() bool { return h.asks }

// listen is the heartbeat of a client of generation 3 that pings at the interval
// it is told.
func (h *Heartbeat) listen(p *Policy, now, seen int64) (Beat, int64) {
	switch due := h.nextHeard(p); {
	case now < due:
		return Quiet, due
	case seen > h.last:
		h.last = seen
		h.answered(p)
	case !h.missed:
		h.sent = h.last + int64(h.interval) + p.Timeout
		h.missed, h.good, h.interval, h.last = true, 0, uint32(p.Retry), now
	case now >= h.sent:
		return Dead, now
	default:
		return Quiet, h.sent
	}
	return Quiet, h.nextHeard(p)
}

// nextHeard is when a client of generation 3 should have been heard.
func (h *Heartbeat) nextHeard(p *Policy) int64 {
	due := h.last + int64(h.interval) + p.Missed
	if h.missed {
		return min(due, h.sent)
	}
	return due
}

// patience is the heartbeat of the others of generation 3.
func patience(p *Policy, now, seen int64) (Beat, int64) {
	end := seen + p.Interval + p.Timeout
	if now >= end {
		return Dead, now
	}
	return Quiet, end
}

// answered settles a ping. After a missed beat the interval stays short, and
// has to grow again.
func (h *Heartbeat) answered(p *Policy) {
	h.awaiting, h.missed = false, false
	if p.GrowAfter == 0 {
		return
	}
	if h.good++; h.good >= p.GrowAfter {
		h.good = 0
		h.interval = uint32(min(int64(h.interval)+p.Step, p.Interval))
	}
}

// doubt is how long after a ping it is repeated.
func (h *Heartbeat) doubt(p *Policy) int64 {
	if h.missed {
		return p.Retry
	}
	return p.Missed
}

func (h *Heartbeat) next(p *Policy, now int64) int64 {
	due := h.last + int64(h.interval) // of the next ping, if this one is answered
	if !h.awaiting {
		return due
	}
	next := h.sent + p.Timeout
	if p.GrowAfter > 0 {
		next = min(next, h.last+h.doubt(p))
	}
	if now < due {
		next = min(next, due)
	}
	return next
}
