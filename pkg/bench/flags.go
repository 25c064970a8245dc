package bench

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	fs.DurationVar(&o.scale.Duration, "duration", 0, "of the load, instead of the scenario's: a `time` such as 30s")
	fs.Float64Var(&o.scale.ConnectRate, "connect-rate", 0, "connects per second in all, instead of the scenario's `number`")
	fs.DurationVar(&o.scale.Every, "every", 0, "`time` from one push to the next, instead of the scenario's")
	fs.IntVar(&o.workers, "workers", 0, "client `processes`; 0 chooses")
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
	fs.StringVar(&o.target.Kind, "kind", kindSluice, "of that target: `sluice` or socketio")
	fs.StringVar(&o.target.Name, "name", "", "of that target in the report: `text`")
	fs.StringVar(&o.target.Path, "path", "/socket.io/", "Engine.IO `path` of that target")
	fs.StringVar(&o.target.API, "api", "127.0.0.1:9002", "`host:port` of its WS-API")
	fs.StringVar(&o.target.Component, "component", "bench", "`name` of the component that pushes")
	fs.StringVar(&o.target.Token, "token", "", "the component's `secret`")
	fs.StringVar(&o.target.Secret, "secret", "", "HS256 `secret` to sign the clients' tokens with; without one they come as nobody")
	fs.StringVar(&o.metrics, "metrics", "", "`addresses` of the servers' metrics, separated by commas")
	fs.StringVar(&o.pids, "server-pid", "", "`processes` of the servers on this machine, separated by commas")
	return fs
}

// usageOf writes what ws-bench says of itself.
func usageOf(to io.Writer) {
	fmt.Fprint(to, usageText)
	runFlags(&runOptions{}, to).PrintDefaults()
}

// parse reads flags and scenarios, in any order, and returns everything that is
// wrong with the flags.
func (o *runOptions) parse(args []string) error {
	fs := runFlags(o, io.Discard) // the caller tells
	for {
		if err := fs.Parse(args); err != nil {
			return err
		}
		if fs.NArg() == 0 {
			break
		}
		o.scenario, args = append(o.scenario, fs.Arg(0)), fs.Args()[1:]
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return o.check(set)
}

// needs are the flags that say nothing without one of others.
var needs = map[string][]string{
	"tls": {"manage"}, "given": {"manage"}, "bin": {"manage"}, "compare": {"manage"}, "rounds": {"compare"},
	"stock-pid": {"stock"}, "stock-metrics": {"stock"}, "ca": {"url", "stock"}, "path": {"url", "stock"},
	"kind": {"url"}, "name": {"url"}, "api": {"url"}, "component": {"url"}, "token": {"url"}, "secret": {"url"}, "metrics": {"url"}, "server-pid": {"url"},
}

// gatewaysAtMost keeps a slip of the finger from starting a thousand programs.
const gatewaysAtMost = 100

// check returns everything that does not fit of the flags that were set.
func (o *runOptions) check(set map[string]bool) error {
	var errs []error
	want := func(ok bool, name, text string) {
		if set[name] && !ok {
			errs = append(errs, fmt.Errorf("-%s: %s", name, text))
		}
	}
	const above = "must be above 0; without the flag the scenario says"
	want(o.scale.Sockets > 0, "sockets", above)
	want(o.scale.Duration > 0, "duration", above)
	want(o.scale.ConnectRate > 0, "connect-rate", above)
	want(o.scale.Every > 0, "every", above)
	want(o.workers >= 0 && o.workers <= workersAtMost, "workers", fmt.Sprintf("must be from 1 to %d, or 0", workersAtMost))
	want(o.manage > 0 && o.manage <= gatewaysAtMost, "manage", fmt.Sprintf("must be from 1 to %d", gatewaysAtMost))
	want(o.rounds > 0, "rounds", "must be above 0")
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		want(slices.ContainsFunc(needs[name], func(other string) bool { return set[other] }), name, "needs -"+strings.Join(needs[name], " or -"))
	}
	if len(o.scenario) == 0 {
		errs = append(errs, fmt.Errorf("no scenario is named; shipped are: %s", strings.Join(Shipped(), ", ")))
	}
	if !set["manage"] && !set["url"] && !set["stock"] && !set["targets"] {
		errs = append(errs, errors.New("no target: give -manage, -url, -stock or -targets"))
	}
	return errors.Join(errs...)
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
