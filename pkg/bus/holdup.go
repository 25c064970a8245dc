package bus

import (
	"slices"
	"strconv"
	"time"
)

// entry is a record between its fetch and the commit of its offset. All of it is
// guarded by its partition's mu, but for what is fixed at the fetch.
type entry struct {
	rec     Record
	key     string // holdups use it: of a record without a key, a name of its own
	raw     message
	size    int
	attempt int // handovers so far

	handed   bool      // with the handler, not answered
	deadline time.Time // for the answer; zero while the handler has not returned
	due      time.Time // when it may be handed over again
	cause    cause     // of the last refusal
	reason   error     // of the last refusal
	dead     bool      // to be put aside
	settled  bool      // dealt with, for good or as a dead letter
}

// cause tells why a record was refused. It is a metric label.
type cause string

const (
	causeNack    cause = "nack"
	causeTimeout cause = "timeout"
	causeHeaders cause = "headers"
)

// holdups keep the order of keys in trouble. A key that had a refusal is handed over
// one record at a time, oldest first, and newer records of it queue up behind. Other
// keys do not notice.
//
//	          refuse                    accept, queue empty
//	healthy ----------> held up ---------------------------> healthy
//	                    |  ^ refuse: again after a pause
//	                    |  |
//	                    +--+ RetryFor is over: what is queued gets one short second
//	                         chance, all at once, and is put aside
//
// A key whose record was put aside keeps that bad standing until one of its records is
// accepted or standingFor is over, or a stream of poison would hold up its partition
// for RetryFor again and again.
//
// Callers hold the partition's mu.
type holdups struct {
	cfg  *ConsumerConfig
	keys map[string]*holdup
}

type holdup struct {
	since time.Time // the first refusal
	queue []*entry  // by offset: to be handed over or put aside
	out   *entry    // handed over alone and not answered; others wait for it
	busy  bool      // one of the key is being handed over or put aside right now
	until time.Time // end of bad standing, zero for none
}

const (
	// standingFor is how long bad standing lasts without an accepted record.
	standingFor = 30 * time.Second
	// shortAttempts is how often a record of a key in bad standing is handed over.
	shortAttempts = 2
)

// keyOf gives records without a key one of their own: they have no order to keep.
func keyOf(r *Record) string {
	if r.Key != "" {
		return r.Key
	}
	return "\x00" + strconv.FormatInt(r.Offset, 10)
}

func (h *holdup) occupied() bool { return len(h.queue) > 0 || h.out != nil || h.busy }

func (h *holdup) insert(e *entry) {
	i, _ := slices.BinarySearchFunc(h.queue, e.rec.Offset, func(q *entry, offset int64) int {
		return int(q.rec.Offset - offset)
	})
	h.queue = slices.Insert(h.queue, i, e)
}

func (hs *holdups) of(key string, now time.Time) *holdup {
	h := hs.keys[key]
	if h == nil {
		h = &holdup{since: now}
		hs.keys[key] = h
	}
	return h
}

// admit reports whether a new record may be handed over now; otherwise it is held.
func (hs *holdups) admit(e *entry) bool {
	h := hs.keys[e.key]
	if h == nil || !h.occupied() {
		return true
	}
	h.insert(e)
	return false
}

// refuse queues a record that was handed over and refused, for another attempt or to be
// put aside.
func (hs *holdups) refuse(e *entry, now time.Time) {
	h := hs.of(e.key, now)
	if h.out == e {
		h.out = nil
	}
	if !h.until.IsZero() && now.After(h.until) {
		h.since, h.until = now, time.Time{}
	}
	pause := hs.pause(e.attempt)
	if h.patient(hs.cfg, now) {
		e.dead = e.attempt >= hs.cfg.MaxAttempts || now.Add(pause).Sub(h.since) > hs.cfg.RetryFor
	} else {
		e.dead = e.attempt >= shortAttempts
		pause = hs.cfg.RetryBackoff
	}
	e.due = now.Add(pause)
	if e.dead {
		e.due = now
	}
	h.insert(e)
}

// bury queues a record to be put aside without another attempt.
func (hs *holdups) bury(e *entry, now time.Time) {
	e.dead, e.due = true, now
	hs.of(e.key, now).insert(e)
}

func (h *holdup) patient(cfg *ConsumerConfig, now time.Time) bool {
	return h.until.IsZero() && now.Sub(h.since) <= cfg.RetryFor
}

// pause doubles from one attempt to the next.
func (hs *holdups) pause(attempt int) time.Duration {
	return hs.cfg.RetryBackoff << min(max(attempt-1, 0), 16)
}

// accept takes note of a record that was dealt with: the key is healthy again as soon
// as nothing of it is queued.
func (hs *holdups) accept(e *entry) {
	h := hs.keys[e.key]
	if h == nil {
		return
	}
	if h.out == e {
		h.out = nil
	}
	// A late answer to an earlier attempt may settle a record that is queued.
	h.queue = slices.DeleteFunc(h.queue, func(q *entry) bool { return q == e })
	h.until = time.Time{}
	hs.prune(e.key, h)
}

// buried takes note of a record that was put aside.
func (hs *holdups) buried(e *entry, now time.Time) {
	h := hs.of(e.key, now)
	h.until = now.Add(standingFor)
	h.busy = false
}

// unburied takes note that a record could not be put aside and must be later.
func (hs *holdups) unburied(e *entry, due time.Time) {
	h := hs.of(e.key, due)
	h.busy = false
	e.due = due
	h.insert(e)
}

// returned takes note that the handing over of e has returned, answered or not.
func (hs *holdups) returned(e *entry) {
	if h := hs.keys[e.key]; h != nil {
		h.busy = false
		hs.prune(e.key, h)
	}
}

func (hs *holdups) prune(key string, h *holdup) {
	if !h.occupied() && h.until.IsZero() {
		delete(hs.keys, key)
	}
}

// ready takes the records that are due, at most one of each key, oldest first, and
// marks their keys busy. The key in use, if any, is left alone. wait is how long until
// the next one is due.
func (hs *holdups) ready(now time.Time, inUse string) (due []*entry, wait time.Duration) {
	wait = time.Hour
	for key, h := range hs.keys {
		if !h.occupied() {
			if now.After(h.until) {
				delete(hs.keys, key)
			}
			continue
		}
		if len(h.queue) == 0 || h.busy || h.out != nil || key == inUse {
			continue
		}
		e := h.queue[0]
		if left := e.due.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		h.queue = h.queue[1:]
		h.busy = true
		if !e.dead {
			e.attempt++
			if h.patient(hs.cfg, now) {
				h.out = e
			}
		}
		due = append(due, e)
	}
	slices.SortFunc(due, func(a, b *entry) int { return int(a.rec.Offset - b.rec.Offset) })
	return due, wait
}
