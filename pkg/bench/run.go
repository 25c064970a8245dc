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
	given    bool
	compare  string
	rounds   int
	stock    string
	stockPID string
	stockOps string
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
	fs.DurationVar(&o.scale.Every, "every", 0, "from one push to the next, instead of the scenario's")
	fs.IntVar(&o.workers, "workers", 0, "client processes; 0 chooses")
	fs.StringVar(&o.out, "out", "", "`folder` for the report; default .run/bench/<time>")
	fs.IntVar(&o.manage, "manage", 0, "start so `many` gateways and an API over embedded services, and measure them")
	fs.BoolVar(&o.tls, "tls", false, "with -manage: the gateways get a certificate, the clients speak TLS")
	fs.BoolVar(&o.given, "given", false, "with -manage: over the services that SLUICE_KAFKA_BROKERS, SLUICE_REDIS_ADDR and SLUICE_REGISTRY_DSN name instead of embedded ones")
	fs.StringVar(&o.compare, "compare", "", "with -manage: a `key=value,value` of the gateways' configuration; each value in turn, with a table that compares them")
	fs.IntVar(&o.rounds, "rounds", 1, "with -compare: how many `times` each value has its turn")
	fs.StringVar(&o.stock, "stock", "", "`url` of a stock Socket.IO server with the handlers that pkg/bench/stand describes: one more target")
	fs.StringVar(&o.stockPID, "stock-pid", "", "its `process`, if it is on this machine")
	fs.StringVar(&o.stockOps, "stock-metrics", "", "`address` of its metrics, if it has some")
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
	ways, waysErr := variants(o.compare)
	targets, err := o.list()
	program, programErr := os.Executable()
	files, filesErr := openFiles(os.Getpid())
	if err := errors.Join(errs, err, waysErr, programErr, filesErr); err != nil {
		return r, err
	}
	if o.bin == "" {
		o.bin = filepath.Dir(program)
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
			if err != nil {
				return fmt.Errorf("%s on %s: %w", s.name, t.Name, err)
			}
			done.Variant, done.Round = way, round
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
	var back services
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
			if err := errors.Join(f(&m.target, way.name, round+1), m.stop()); err != nil {
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
	if len(o.scenario) == 0 {
		return nil, fmt.Errorf("no scenario is named; shipped are: %s", strings.Join(Shipped(), ", "))
	}
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
	if o.stock != "" {
		t, err := o.stockTarget()
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	switch {
	case len(all) == 0 && o.manage == 0:
		return nil, errors.New("no target: give -url, -targets, -stock or -manage")
	case o.compare != "" && o.manage == 0:
		return nil, errors.New("-compare: needs -manage, whose gateways it sets up")
	case o.rounds < 1:
		return nil, errors.New("-rounds: must be above 0")
	}
	return all, nil
}

// stockTarget is the one of -stock.
func (o *runOptions) stockTarget() (Target, error) {
	t := Target{Name: "socket.io", Kind: kindStock, Servers: []string{o.stock}, Path: o.target.Path, CAFile: o.target.CAFile, Metrics: commaList(o.stockOps)}
	if o.stockPID != "" {
		pid, err := strconv.Atoi(o.stockPID)
		if err != nil {
			return t, fmt.Errorf("-stock-pid: %q is no process", o.stockPID)
		}
		t.PIDs = []int{pid}
	}
	return t, problem("-stock", t.complete())
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
	files := map[string]func(io.Writer) error{"report.json": r.WriteJSON, "report.html": r.WriteHTML}
	err := r.WriteTable(os.Stdout)
	if o.compare != "" {
		fmt.Println()
		err = errors.Join(err, r.WriteComparisons(os.Stdout))
		files["compared.md"] = r.WriteComparisons
	}
	if err != nil {
		return err
	}
	for name, write := range files {
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
