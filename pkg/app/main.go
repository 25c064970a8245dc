package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/gotomicro/ego"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"
)

// Version of the program, set by the linker for releases.
var Version = "dev"

// version is what replicas register with: a new one gets a new number.
func version() string {
	if Version != "dev" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return Version
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "" // refused by validation, which says what to do
	}
	return name
}

// options are the flags that every program has.
type options struct {
	config  string
	check   bool
	version bool
}

// parse reads the flags. A second value that is not nil is the exit code.
func (o *options) parse(fs *flag.FlagSet, args []string) *int {
	fs.StringVar(&o.config, "config", o.config, "TOML `file`; every key can also be set in the environment, transport.path as SLUICE_TRANSPORT_PATH")
	fs.BoolVar(&o.check, "check", false, "validate the configuration, print it as it is used, and exit")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	code := 0
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return &code
	case err != nil:
		code = 2
		return &code
	case fs.NArg() > 0:
		fmt.Fprintf(fs.Output(), "%s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		code = 2
		return &code
	case o.version:
		fmt.Fprintln(os.Stdout, fs.Name(), version())
		return &code
	}
	return nil
}

// Gateway runs ws-gateway and returns its exit code.
func Gateway(args []string) int {
	cfg := DefaultGatewayConfig()
	return serve("ws-gateway", args, &cfg, &cfg.ServiceConfig, func(log *elog.Component) (program, error) {
		return newGatewayProgram("", cfg, log)
	})
}

// API runs ws-api and returns its exit code.
func API(args []string) int {
	cfg := DefaultAPIConfig()
	return serve("ws-api", args, &cfg, &cfg.ServiceConfig, func(log *elog.Component) (program, error) {
		return newAPIProgram("", cfg, log)
	})
}

// serve reads the configuration cfg, of which common is a part, builds the
// program and lives its life.
func serve(name string, args []string, cfg any, common *ServiceConfig, build func(*elog.Component) (program, error)) int {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o := options{config: "config/" + name + ".toml"}
	if code := o.parse(fs, args); code != nil {
		return *code
	}
	if err := Load(o.config, os.LookupEnv, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if o.check {
		return printEffective(os.Stdout, cfg)
	}
	return live("", cfg, func(log *elog.Component) (*service, error) {
		pace := common.Memory.apply(os.LookupEnv, log)
		if err := tellCollector(prometheus.DefaultRegisterer); err != nil {
			return nil, err
		}
		p, err := build(log)
		if err != nil {
			return nil, err
		}
		s := newService(name, p, common.Stop.Timeout, log)
		s.pace = pace
		return s, nil
	})
}

func printEffective(to io.Writer, cfg any) int {
	text, err := Effective(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprint(to, text)
	return 0
}

// live hands the configuration to EGO and runs the service in it. EGO takes its
// loggers and tracing from the sections behind prefix.
func live(prefix string, cfg any, build func(*elog.Component) (*service, error)) int {
	if err := publish(cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// EGO kills nothing when its stop timeout is over, it only stops waiting:
	// ours, which cuts what is left, has to be the shorter one.
	e := ego.New(ego.WithConfigPrefix(prefix), ego.WithDisableFlagConfig(true), ego.WithArguments(nil),
		ego.WithDisableBanner(true), ego.WithStopTimeout(time.Hour))
	s, err := build(elog.DefaultLogger)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := e.Serve(s).Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
