package bench

import (
	"context"
	"sync"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
	"sluice/pkg/bench/tally"
)

// watch looks at workers and server while the phases go on, and keeps a point
// for each second.
type watch struct {
	c             *conductor
	from          time.Time
	began         int64 // the same by the clients' clock
	workersBefore int64 // memory of the workers, without connections

	mu     sync.Mutex // guards what follows
	sum    census     // with the histograms of all time
	window census     // the histograms since the last point
	name   string     // of the phase
	series []report.Point
	last   census
	cpu    float64 // of the server, at the last point
	at     time.Time
}

func newWatch(c *conductor) *watch {
	w := &watch{c: c, from: time.Now(), began: swarm.Now(), at: time.Now()}
	if w.look() == nil {
		w.workersBefore = w.sum.resident
	}
	_, w.cpu = c.probe.now()
	return w
}

// look asks the workers.
func (w *watch) look() error {
	answers, err := w.c.crew.call(order{Op: opSnapshot})
	if err != nil {
		return err
	}
	s := sumOf(answers)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pair := range [][2]*tally.Histogram{
		{&w.window.Latency, &s.Latency}, {&w.window.Roundtrip, &s.Roundtrip}, {&w.window.ConnectTime, &s.ConnectTime},
	} {
		pair[0].Merge(pair[1])
	}
	connect, latency, roundtrip := w.sum.ConnectTime, w.sum.Latency, w.sum.Roundtrip
	connect.Merge(&s.ConnectTime)
	latency.Merge(&s.Latency)
	roundtrip.Merge(&s.Roundtrip)
	w.sum = s
	w.sum.ConnectTime, w.sum.Latency, w.sum.Roundtrip = connect, latency, roundtrip
	return nil
}

// restart forgets how long things took so far, apart from connecting.
func (w *watch) restart() error {
	err := w.look() // what came until now belongs to before
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.Latency, w.sum.Roundtrip = tally.Histogram{}, tally.Histogram{}
	return err
}

// run keeps a point for each second until ctx ends, or there is nothing to be
// watched any more, which is an error.
func (w *watch) run(ctx context.Context) error {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if err := w.look(); err != nil {
			return err
		}
		w.point()
		if w.c.probe.deserted() {
			return errAllEnded
		}
	}
}

// point makes one of what happened since the last.
func (w *watch) point() {
	resident, cpu := w.c.probe.now()
	w.mu.Lock()
	now := time.Now()
	s, last, took := &w.sum, &w.last, now.Sub(w.at).Seconds()
	per := func(now, before uint64) float64 { return float64(now-before) / took }
	p := report.Point{
		At: now.Sub(w.from).Seconds(), Up: s.Up, Connects: per(s.Connects, last.Connects), Delivered: per(s.Delivered, last.Delivered),
		Received: per(s.Receipts+s.Sent, last.Receipts+last.Sent), Latency: report.QuantilesOf(&w.window.Latency),
		Roundtrip: report.QuantilesOf(&w.window.Roundtrip), Resident: resident, Cores: (cpu - w.cpu) / took, Clients: (s.cpu - last.cpu) / took,
	}
	// Receipts belong to their message; events stand for themselves.
	if n := float64(s.Delivered - last.Delivered + s.Sent - last.Sent); n > 0 {
		p.PerMessage = (cpu - w.cpu) * 1e6 / n
	}
	w.series = append(w.series, p)
	w.last, w.window, w.cpu, w.at = *s, census{}, cpu, now
	shown := progress{Run: w.c.run.Scenario + " " + w.c.run.Target, Phase: w.name, Point: p}
	w.mu.Unlock()
	w.c.show(shown)
}

// until looks until ok, or ctx ends.
func (w *watch) until(ctx context.Context, ok func(*census) bool) error {
	for {
		if err := w.look(); err != nil {
			return err
		}
		if ok(w.latest()) {
			return nil
		}
		sleep(ctx, look)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// latest is what the last look saw; its histograms are of all time and must not
// be changed.
func (w *watch) latest() *census {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sum
	s.Latency, s.Roundtrip, s.ConnectTime = copyOf(&w.sum.Latency), copyOf(&w.sum.Roundtrip), copyOf(&w.sum.ConnectTime)
	return &s
}

func copyOf(h *tally.Histogram) (c tally.Histogram) {
	c.Merge(h)
	return c
}

func (w *watch) phase(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.name = name
}

// note adds to the run's problems, from any goroutine.
func (w *watch) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c.run.Problems = append(w.c.run.Problems, text)
}

func (w *watch) points() []report.Point {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.series
}

// peaks are the best seconds: connects and deliveries. A run that connects
// within a second has no second of its own.
func (w *watch) peaks() (connects, delivered float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.series {
		connects, delivered = max(connects, w.series[i].Connects), max(delivered, w.series[i].Delivered)
	}
	return max(connects, w.c.run.Connect.Rate), max(delivered, w.c.run.Messages.Rate)
}
