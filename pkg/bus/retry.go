package bus

import (
	"context"
	"errors"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

var errUnanswered = errors.New("the handler did not answer in time")

// retry hands over again what was refused, and what waited behind it, puts aside what
// is beyond help, and refuses what is not answered in time; until ctx ends.
func (p *partition) retry(ctx context.Context) {
	tick := min(max(p.g.c.cfg.AckTimeout/8, 5*time.Millisecond), time.Second)
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
		wait := p.retryDue(ctx)
		timer.Reset(min(wait, tick))
	}
}

// retryDue deals with everything that is due and returns when to look again.
func (p *partition) retryDue(ctx context.Context) time.Duration {
	for {
		now := time.Now()
		p.refuseUnanswered(now)
		p.mu.Lock()
		due, wait := p.holdups.ready(now, p.inUse)
		p.mu.Unlock()
		if len(due) == 0 {
			return wait
		}
		for _, e := range due {
			if ctx.Err() != nil {
				return wait
			}
			if e.dead {
				p.putAside(ctx, e)
			} else {
				p.handOverAgain(e)
			}
		}
	}
}

func (p *partition) refuseUnanswered(now time.Time) {
	type unanswered struct {
		e       *entry
		attempt int
	}
	var late []unanswered
	p.mu.Lock()
	for _, e := range p.window[p.head:] {
		if e.handed && !e.deadline.IsZero() && now.After(e.deadline) {
			late = append(late, unanswered{e, e.attempt})
		}
	}
	p.mu.Unlock()
	for _, l := range late {
		p.answer(l.e, l.attempt, causeTimeout, errUnanswered)
	}
}

func (p *partition) handOverAgain(e *entry) {
	p.mu.Lock()
	attempt, why := e.attempt, e.cause
	p.mu.Unlock()
	if attempt > 1 { // the first, when it was held behind another
		p.g.c.m.redelivered(why).Inc()
	}
	p.handOver(e)
	p.mu.Lock()
	p.holdups.returned(e)
	p.mu.Unlock()
	poke(p.wake)
}

// putAside writes the dead letter and settles the record. A record is never settled
// without its letter: while Kafka takes none, the partition's commits wait.
func (p *partition) putAside(ctx context.Context, e *entry) {
	p.mu.Lock()
	letter := *e // a late answer may settle e at any time
	p.mu.Unlock()
	if letter.settled {
		p.mu.Lock()
		p.holdups.returned(e)
		p.mu.Unlock()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*p.g.c.k.cfg.Producer.WriteTimeout)
	defer cancel()
	err := p.g.dead.write(ctx, &letter, time.Now())
	if err == nil {
		p.buried(e, &letter)
		return
	}
	p.g.c.m.deadErrors.Inc()
	p.g.c.log.Error("a record could not be put aside, trying again", elog.FieldErr(err))
	p.mu.Lock()
	p.holdups.unburied(e, time.Now().Add(time.Second))
	p.mu.Unlock()
}

func (p *partition) buried(e, letter *entry) {
	p.mu.Lock()
	p.holdups.buried(e, time.Now())
	mine := !p.over && !e.settled
	if mine {
		p.settleLocked(e)
	}
	p.mu.Unlock()

	c := p.g.c
	c.log.Error("a record was put aside",
		elog.Int("partition", p.id), elog.Int64("offset", letter.rec.Offset),
		elog.String("mid", letter.rec.Headers.Mid.String()), elog.String("cause", string(letter.cause)),
		elog.Int("attempts", letter.attempt), elog.FieldErr(letter.reason))
	c.m.dead(letter.cause).Inc()
	if mine {
		c.m.buried.Inc()
		p.released(e)
	}
}
