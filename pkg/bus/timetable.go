package bus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// topic is the lanes of one topic and their timetable: writes begin at least Linger
// apart, and take all lanes along that have something. After a pause they begin when
// nothing more has come for a fifth of that: what comes in a burst seldom comes alone.
type topic struct {
	p      *Producer
	name   string
	counts *outcomes
	lanes  []*lane

	// owned by Producer.depart
	left    time.Time // when the last flight began
	boarded []*flight // scratch

	mu       sync.Mutex
	known    *layout // guarded by mu; nil when it is to be asked for
	knownAt  time.Time
	asking   chan struct{} // of capacity 1: who asks holds it
	wishes   []wish        // owned by Producer.depart: scratch
	position int           // owned by Producer.depart: the lane that boards first
}

// layout is the partitions of a topic, with their leaders; -1 is none.
type layout struct{ leaders []int }

// divides tells that each partition belongs to one lane.
func (l *layout) divides(lanes int) bool { return len(l.leaders)%lanes == 0 }

func newTopic(p *Producer, name string, lanes int) *topic {
	t := &topic{p: p, name: name, counts: p.m.outcomesOf(name), asking: make(chan struct{}, 1)}
	for i := range lanes {
		t.lanes = append(t.lanes, newLane(p, t, i))
	}
	t.wishes = make([]wish, lanes)
	return t
}

// outlook is what the lanes of a topic want.
type outlook struct {
	some, full bool      // some may write now, one has enough for a write
	flying     bool      // writes are under way
	open       bool      // anything may come at all
	oldest     time.Time // record that may be written now
	newest     time.Time // record that may
	again      time.Time // when the next failed lane may write; zero is never
}

// depart begins the writes that are due. It returns when the next one is, if any is to
// come by itself, and whether anything may come at all.
func (t *topic) depart(now time.Time) (next time.Time, open bool) {
	o := t.look(now)
	next = o.again
	at := t.due(o.oldest, o.newest)
	switch {
	case !o.some && o.flying:
		// The timer instead of a wake-up for each record that comes meanwhile.
		next = earlier(next, now.Add(t.p.cfg.Linger))
	case !o.some:
	case o.full || !at.After(now):
		t.left = now
		t.board()
	default:
		next = earlier(next, at)
	}
	return next, o.open
}

// due is when the next flight begins.
func (t *topic) due(oldest, newest time.Time) time.Time {
	linger := t.p.cfg.Linger
	gathered := newest.Add(linger / 5)
	if latest := oldest.Add(linger); gathered.After(latest) {
		gathered = latest
	}
	if next := t.left.Add(linger); next.After(gathered) {
		return next
	}
	return gathered
}

// look asks the lanes, and keeps their wishes for those who board.
func (t *topic) look(now time.Time) (o outlook) {
	for i, l := range t.lanes {
		w := l.wish()
		o.open, o.flying = o.open || w.open, o.flying || w.flying
		if w.some && w.again.After(now) {
			o.again = earlier(o.again, w.again)
			w.some = false
		}
		if w.some {
			o.some, o.full, o.oldest = true, o.full || w.full, earlier(o.oldest, w.oldest)
			if w.newest.After(o.newest) {
				o.newest = w.newest
			}
		}
		t.wishes[i] = w
	}
	return o
}

// board puts the lanes that want into flights, by leader, and lets those go. Another
// lane is the first each time, so that none is always left for a second flight.
func (t *topic) board() {
	lay := t.lastLayout()
	t.position++
	for i := range t.lanes {
		i = (i + t.position) % len(t.lanes)
		if !t.wishes[i].some {
			continue
		}
		f := t.flightFor(i, lay)
		f.board(t.lanes[i])
	}
	for i, f := range t.boarded {
		t.p.flights.Go(f.fly)
		t.boarded[i] = nil
	}
	t.boarded = t.boarded[:0]
}

// flightFor returns the flight for a lane. One whose last write failed flies alone.
func (t *topic) flightFor(lane int, lay *layout) *flight {
	const alone = -2
	leader := 0
	switch {
	case t.wishes[lane].failed:
		leader = alone
	case lay == nil:
	case !lay.divides(len(t.lanes)):
		leader = alone
	default:
		leader = lay.leaders[lane]
	}
	for _, f := range t.boarded {
		if leader != alone && f.leader == leader && f.size < maxFlight {
			return f
		}
	}
	f := flights.Get().(*flight)
	f.topic, f.leader = t, leader
	t.boarded = append(t.boarded, f)
	return f
}

// layoutFor is how long the leaders are believed in; the transport asks as often.
const layoutFor = metadataTTL / 2

func (t *topic) lastLayout() *layout {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known
}

// doubt has the leaders asked for before the next write: one has failed.
func (t *topic) doubt() {
	t.mu.Lock()
	t.known = nil
	t.mu.Unlock()
}

// layout returns the topic's partitions. One caller asks, the others wait for it.
func (t *topic) layout() (*layout, error) {
	if known := t.fresh(); known != nil {
		return known, nil // without a timer
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.p.cfg.WriteTimeout)
	defer cancel()
	select {
	case t.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.asking }()
	if known := t.fresh(); known != nil {
		return known, nil
	}
	lay, err := t.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", t.name, err)
	}
	t.mu.Lock()
	t.known, t.knownAt = lay, time.Now()
	t.mu.Unlock()
	return lay, nil
}

// fresh is what was told lately.
func (t *topic) fresh() *layout {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || time.Since(t.knownAt) >= layoutFor {
		return nil
	}
	return t.known
}

// ask takes from what the transport knows, which is no request of its own.
func (t *topic) ask(ctx context.Context) (*layout, error) {
	res, err := t.p.admin.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{t.name}})
	if err != nil {
		return nil, err
	}
	for i := range res.Topics {
		if res.Topics[i].Name != t.name {
			continue
		}
		if res.Topics[i].Error != nil {
			return nil, res.Topics[i].Error
		}
		lay := &layout{leaders: make([]int, len(res.Topics[i].Partitions))}
		for _, p := range res.Topics[i].Partitions {
			if p.ID < len(lay.leaders) {
				lay.leaders[p.ID] = p.Leader.ID
				if p.Leader.Port == 0 {
					lay.leaders[p.ID] = -1
				}
			}
		}
		if len(lay.leaders) > 0 {
			return lay, nil
		}
	}
	return nil, kafka.UnknownTopicOrPartition
}

// earlier is the earlier of two times, of which the zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
