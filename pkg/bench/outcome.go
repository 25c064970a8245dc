package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
)

// settle counts what became of everything, and says what is wrong.
func (c *conductor) settle(ctx context.Context) error {
	answers, err := c.crew.call(order{Op: opBalance})
	if err != nil {
		return err
	}
	came, err := c.driver.Received(context.WithoutCancel(ctx)) // it bounds itself
	if err != nil {
		c.problem("%s does not say any more what came from clients: %v", c.target.Name, err)
	}
	s := c.watch.latest()
	c.messages(s, answers)
	if err == nil {
		c.upward(s, &came)
	}
	r := &c.run
	r.Connect.Peak, r.Messages.Peak = c.watch.peaks()
	r.Coming.Left, r.Coming.Connects, r.Coming.Drops = s.Left, s.Connects, s.Drops
	r.Coming.Slow, r.Coming.SlowEnds = s.Slow, s.SlowEnds
	r.Connect.Failures = s.Failures
	if r.Faults, err = c.faults(); err != nil {
		return err
	}
	r.Memory.After = c.restOf(ctx, func(p *report.Process, n int64) { p.After = n }).resident
	r.Servers = c.probe.reports
	if p := &c.scenario.Push; p.To == toAll {
		r.PushToAllEvery = p.Every.Seconds()
	}
	r.Extrapolated = report.Extrapolate(r, c.meant)
	c.judge(s)
	return nil
}

// faults are the first that happened to messages, of each kind as many as a
// worker keeps.
func (c *conductor) faults() ([]report.Fault, error) {
	answers, err := c.crew.call(order{Op: opFaults})
	if err != nil {
		return nil, err
	}
	var all []swarm.Fault
	for i := range answers {
		all = append(all, answers[i].Faults...)
	}
	slices.SortFunc(all, func(a, b swarm.Fault) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Client, b.Client))
	})
	var told []report.Fault
	kept := map[swarm.What]int{}
	for _, f := range all {
		if kept[f.What]++; kept[f.What] > swarm.FaultsKept {
			continue
		}
		to := destination{document: fmt.Sprintf("?%d", f.Stream)} // what nobody has sent
		if int(f.Stream) < len(c.times) {
			to = c.destination(f.Stream)
		}
		at, _ := c.sentAt(f.Stream, f.Message)
		told = append(told, report.Fault{
			What: string(f.What), Client: f.Client, Message: f.Message, Document: to.document + to.socket, At: max(time.Duration(at-c.watch.began).Seconds(), 0),
		})
	}
	return told, nil
}

func (c *conductor) messages(s *census, answers []answer) {
	m := &c.run.Messages
	for _, times := range c.times {
		m.Pushed += uint64(len(times))
	}
	m.Refused, m.Ephemeral = c.refused, c.scenario.Push.Ephemeral
	m.Balance = balanceOf(answers)
	m.Delivered, m.Duplicates, m.Late, m.Foreign, m.Gaps = s.Delivered, s.Duplicates, s.Late, s.Foreign, s.Gaps
	m.Latency = report.QuantilesOf(&s.Latency)
}

// upward compares what clients sent with what the target's other side got.
func (c *conductor) upward(s *census, came *received) {
	c.run.Receipts = report.Upward{
		Sent: s.Receipts, Received: came.receipts, Duplicates: came.receiptsAgain,
		Lost: int64(s.Receipts) - int64(came.receipts), Time: report.QuantilesOf(&came.receiptTime),
	}
	u := report.Upward{
		Sent: s.Sent, Received: came.events, Duplicates: came.eventsAgain, Busy: s.Busy,
		Time: report.QuantilesOf(&came.eventTime),
	}
	if c.scenario.Upstream.Ack {
		// Counted where it matters to the client: at the answer.
		u.Received, u.Duplicates, u.Time = s.Answered, s.Again, report.QuantilesOf(&s.Roundtrip)
	}
	u.Lost = int64(u.Sent) - int64(u.Received) - int64(u.Busy)
	if !c.scenario.Push.Receipts {
		// The notices of refused events do not say of which kind they were.
		c.run.Upstream = u
		return
	}
	c.run.Receipts.Busy, c.run.Receipts.Lost = s.Busy, c.run.Receipts.Lost-int64(s.Busy)
	if u.Sent > 0 {
		u.Lost, u.Busy = u.Lost+int64(u.Busy), 0
		c.run.Upstream = u
	}
}

// hint is what is wrong most likely when nothing at all has come up.
func (c *conductor) hint() string {
	r := &c.run
	if c.target.Kind != kindSluice || r.Receipts.Received+r.Upstream.Received > 0 {
		return ""
	}
	return fmt.Sprintf(`: none came, so component %q may not hear them; it needs events = ["bench:*"]`, c.target.Component)
}

// judge says what makes the run not good.
func (c *conductor) judge(s *census) {
	r, m := &c.run, &c.run.Messages
	for _, name := range c.probe.ended() {
		c.problem("%s has ended", name)
	}
	if s.Up < r.Sockets && c.came == r.Sockets { // connect has told otherwise
		c.problem("%s of %s clients were connected in the end", commas(s.Up), commas(r.Sockets))
	}
	if m.Lost > 0 && !c.scenario.Push.Ephemeral {
		c.problem("%s of %s messages were lost", commas(int(m.Lost)), commas(int(m.Expected)))
	}
	for what, n := range map[string]uint64{
		"messages came twice": m.Duplicates, "messages came to clients that they were not for": m.Foreign,
		"messages came after younger ones": m.Late, "pushes were refused": m.Refused,
		"receipts came twice": r.Receipts.Duplicates, "events came twice": r.Upstream.Duplicates,
	} {
		if n > 0 {
			c.problem("%s %s", commas(int(n)), what)
		}
	}
	for what, n := range map[string]int64{"receipts were lost": r.Receipts.Lost, "events were lost": r.Upstream.Lost} {
		if n > 0 {
			c.problem("%s %s%s", commas(int(n)), what, c.hint())
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Drops)) {
		c.problem("the server dropped %s connections: %s", commas(int(s.Drops[reason])), reason)
	}
	slices.Sort(r.Problems)
}
