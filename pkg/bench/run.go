package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/swarm"
)

// runOptions are the flags of ws-bench run.
type runOptions struct {
	scale    Scale
	workers  int
	out      string
	manage   int
	tls      bool
	bin      string
	targets  string
	servers  string
	pids     string
	metrics  string
	target   Target
	scenario []string
}

func runFlags(o *runOptions, to io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("ws-bench run", flag.ContinueOnError)
	fs.SetOutput(to)
	fs.IntVar(&o.scale.Sockets, "sockets", 0, "how many clients, instead of the scenario's `number`")
	fs.DurationVar(&o.scale.Duration, "duration", 0, "of the load, instead of the scenario's")
	fs.Float64Var(&o.scale.ConnectRate, "connect-rate", 0, "connects per second in all, instead of the scenario's `number`")
	fs.IntVar(&o.workers, "workers", 0, "client processes; 0 chooses")
	fs.StringVar(&o.out, "out", "", "`folder` for the report; default .run/bench/<time>")
	fs.IntVar(&o.manage, "manage", 0, "start so `many` gateways and an API over embedded services, and measure them")
	fs.BoolVar(&o.tls, "tls", false, "with -manage: the gateways get a certificate, the clients speak TLS")
	fs.StringVar(&o.bin, "bin", "", "`folder` of ws-gateway and ws-api for -manage; default the one that ws-bench is in")
	fs.StringVar(&o.targets, "targets", "", "TOML `file` with [[target]] tables: all scenarios run on each")
	fs.StringVar(&o.servers, "url", "", "`host:port` of the servers, separated by commas, with wss:// before each for TLS: a target without a file")
	fs.StringVar(&o.target.CAFile, "ca", "", "PEM `file` with the authority of that target's certificate")
	fs.StringVar(&o.target.Kind, "kind", kindSluice, "of that target: sluice or socketio")
	fs.StringVar(&o.target.Name, "name", "", "of that target in the report")
	fs.StringVar(&o.target.Path, "path", "/socket.io/", "Engine.IO path of that target")
	fs.StringVar(&o.target.API, "api", "127.0.0.1:9002", "`host:port` of its WS-API")
	fs.StringVar(&o.target.Component, "component", "bench", "`name` of the component that pushes")
	fs.StringVar(&o.target.Token, "token", "", "the component's `secret`")
	fs.StringVar(&o.target.Secret, "secret", "", "HS256 `secret` to sign the clients' tokens with; without one they come as nobody")
	fs.StringVar(&o.metrics, "metrics", "", "`addresses` of the servers' metrics, separated by commas")
	fs.StringVar(&o.pids, "server-pid", "", "`processes` of the servers on this machine, separated by commas")
	fs.Usage = func() {
		fmt.Fprint(to, usageText)
		fs.PrintDefaults()
	}
	return fs
}

func runCommand(args []string) int {
	var o runOptions
	fs := runFlags(&o, os.Stderr)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	o.scenario = fs.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := run(ctx, &o)
	if len(r.Runs) > 0 {
		err = errors.Join(err, o.write(r))
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

// run loads everything before it starts anything.
func run(ctx context.Context, o *runOptions) (*report.Report, error) {
	r := &report.Report{Made: time.Now().Truncate(time.Second), Machine: machine()}
	if err := swarm.Supported(); err != nil {
		return r, err
	}
	scenarios, errs := o.load()
	targets, err := o.list()
	program, programErr := os.Executable()
	files, filesErr := openFiles(os.Getpid())
	if err := errors.Join(errs, err, programErr, filesErr); err != nil {
		return r, err
	}
	if o.bin == "" {
		o.bin = filepath.Dir(program)
	}
	view := newLive(os.Stderr)
	for _, s := range scenarios {
		base := job{
			meant: s.Clients.Sockets, program: program, workers: o.workers, calm: calm, show: view.show,
			limits: limits{files: files, ports: ports()},
		}
		base.said = o.scale.apply(&s)
		base.scenario = s
		err := o.each(ctx, program, targets, func(t *Target) error {
			c := conductor{job: base}
			c.target = t
			done, err := c.conduct(ctx)
			view.done()
			if err != nil {
				return fmt.Errorf("%s on %s: %w", s.name, t.Name, err)
			}
			r.Runs = append(r.Runs, done)
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// each does f for all targets. The one that is managed is started anew: what a
// process kept of another scenario would be counted as this one's.
func (o *runOptions) each(ctx context.Context, program string, targets []Target, f func(*Target) error) error {
	for i := range targets {
		if err := f(&targets[i]); err != nil {
			return err
		}
	}
	if o.manage == 0 {
		return nil
	}
	m, err := manage(ctx, program, o.bin, o.manage, o.tls)
	if err != nil {
		return err
	}
	return errors.Join(f(&m.target), m.stop())
}

// load reads the scenarios; the error is that of all of them.
func (o *runOptions) load() ([]Scenario, error) {
	if len(o.scenario) == 0 {
		return nil, fmt.Errorf("no scenario is named; shipped are: %s", strings.Join(Shipped(), ", "))
	}
	var all []Scenario
	var errs []error
	for _, name := range o.scenario {
		s, err := LoadScenario(name)
		all, errs = append(all, s), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// list is the targets of the file and that of the flags.
func (o *runOptions) list() (all []Target, err error) {
	if o.targets != "" {
		if all, err = LoadTargets(o.targets); err != nil {
			return nil, err
		}
	}
	if o.servers != "" {
		t := o.target
		t.Servers, t.Metrics = commaList(o.servers), commaList(o.metrics)
		for _, text := range commaList(o.pids) {
			pid, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("-server-pid: %q is no process", text)
			}
			t.PIDs = append(t.PIDs, pid)
		}
		if err := t.complete(); err != nil {
			return nil, problem("target", err)
		}
		all = append(all, t)
	}
	if len(all) == 0 && o.manage == 0 {
		return nil, errors.New("no target: give -url, -targets or -manage")
	}
	return all, nil
}

func commaList(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// write shows the table and writes the files.
func (o *runOptions) write(r *report.Report) error {
	dir := o.out
	if dir == "" {
		dir = filepath.Join(".run", "bench", r.Made.Format("20060102-150405"))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{"report.json": r.WriteJSON, "report.html": r.WriteHTML} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := errors.Join(write(f), f.Close()); err != nil {
			return err
		}
	}
	fmt.Printf("\n%s, %s\n", filepath.Join(dir, "report.html"), filepath.Join(dir, "report.json"))
	return nil
}
