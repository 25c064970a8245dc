package gateway

import (
	"slices"

	"sluice/pkg/id"
)

// recentPushes are the last pushes with several targets that a connection got:
// of each it gets one copy, whatever it is a member of. The copies of one push
// arrive close together, so a few are enough.
type recentPushes struct {
	mids []id.Message
	next int // the oldest, when there are keepRecent
}

const keepRecent = 16

// seenLocked reports whether the connection already got a push with several
// targets, and remembers it.
func (c *Connection) seenLocked(mid id.Message) bool {
	o := c.outboxLocked()
	if o.recent == nil {
		o.recent = new(recentPushes)
	}
	return o.recent.seen(mid)
}

func (r *recentPushes) seen(mid id.Message) bool {
	if slices.Contains(r.mids, mid) {
		return true
	}
	if len(r.mids) < keepRecent {
		r.mids = append(r.mids, mid)
		return false
	}
	r.mids[r.next] = mid
	r.next = (r.next + 1) % keepRecent
	return false
}
