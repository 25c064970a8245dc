package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sluice/pkg/bench/launch"
	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
)

// runCommand is ws-bench run; it returns the exit code.
func runCommand(args []string) int {
	var o runOptions
	switch err := o.parse(args); {
	case errors.Is(err, flag.ErrHelp):
		usageOf(os.Stdout)
		return 0
	case err != nil:
		return exitCode(fmt.Errorf("%w\nws-bench run -h lists the flags", wrong(err)))
	}
	ctx, stop := interrupts()
	defer stop()
	r, err := run(ctx, &o)
	if len(r.Runs) > 0 {
		err = errors.Join(err, o.write(r, os.Stdout))
	}
	if code := exitCode(err); code != 0 {
		return code
	}
	for i := range r.Runs {
		if len(r.Runs[i].Problems) > 0 {
			return 3
		}
	}
	return 0
}

// interrupts is a context that the first signal to leave ends, which is said:
// it takes a moment until the report is there.
func interrupts() (context.Context, func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	said := context.AfterFunc(ctx, func() {
		fmt.Fprintln(os.Stderr, "\nws-bench: interrupted; what is on its way is waited for, then comes the report")
	})
	return ctx, func() {
		said()
		stop()
	}
}

// run loads everything before it starts anything.
func run(ctx context.Context, o *runOptions) (*report.Report, error) {
	r := &report.Report{Made: time.Now().Truncate(time.Second), Machine: machine()}
	if err := swarm.Supported(); err != nil {
		return r, err
	}
	scenarios, errs := o.load()
	ways, waysErr := variants(o.compare)
	targets, err := o.list()
	program, programErr := os.Executable()
	files, filesErr := openFiles(os.Getpid())
	if err := errors.Join(errs, err, waysErr); err != nil {
		return r, wrong(err)
	}
	if err := errors.Join(programErr, filesErr, o.prepare(r.Made)); err != nil {
		return r, err
	}
	if o.bin == "" {
		o.bin = filepath.Dir(program)
	}
	if err := differ(ctx, o.bin, ways); err != nil {
		return r, wrong(err)
	}
	view := newLive(os.Stderr)
	for _, s := range scenarios {
		base := job{
			meant: s.meant, program: program, workers: o.workers, calm: usualCalm, show: view.show,
			limits: limits{files: files, ports: ports()},
		}
		base.said, base.scenario = s.said, s.Scenario
		err := o.each(ctx, program, targets, ways, func(t *Target, way string, round int) error {
			c := conductor{job: base}
			c.target = t
			done, err := c.conduct(ctx)
			view.done()
			done.Variant, done.Round = way, round
			if err != nil {
				err = fmt.Errorf("%s on %s: %w", s.name, t.Name, err)
				done.Problems = append(done.Problems, fmt.Sprintf("it ended early: %v", err))
			}
			if done.Connect.Time.Count > 0 { // there is something to tell
				r.Runs = append(r.Runs, done)
			}
			return err
		})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// each does f for all targets. The one that is managed is started anew: what a
// process kept of another scenario would be counted as this one's. Its variants
// take turns, so that what changes on the machine meanwhile meets all of them.
func (o *runOptions) each(ctx context.Context, program string, targets []Target, ways []variant, f func(t *Target, way string, round int) error) error {
	for i := range targets {
		if err := f(&targets[i], "", 0); err != nil {
			return err
		}
	}
	if o.manage == 0 {
		return nil
	}
	var back launch.Services
	if o.given {
		var err error
		if back, err = given(os.Getenv); err != nil {
			return err
		}
	}
	for round := range o.rounds {
		for _, way := range ways {
			m, err := manage(ctx, program, o.bin, back, o.manage, o.tls, way.env)
			if err != nil {
				return err
			}
			if way.name != "" {
				m.target.Name = fmt.Sprintf("%s, round %d", way.name, round+1)
			}
			if err := errors.Join(f(&m.target, way.name, round+1), m.stop(false)); err != nil {
				return err
			}
		}
	}
	return nil
}

// planned is a scenario as it is to be run.
type planned struct {
	Scenario
	meant int      // sockets of the scenario as it was written
	said  []string // of the scale
}

// load reads the scenarios, scaled; the error is that of all of them.
func (o *runOptions) load() ([]planned, error) {
	var all []planned
	var errs []error
	for _, name := range o.scenario {
		name, scale := o.scale.of(name)
		s, err := LoadScenario(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		meant := s.Clients.Sockets
		said := scale.apply(&s)
		if err := s.check(); err != nil {
			errs = append(errs, problem(name+", scaled", err))
		}
		if others, some := s.alone(); some {
			all = append(all, planned{others, meant, said})
		}
		all = append(all, planned{s, meant, said})
	}
	return all, errors.Join(errs...)
}
