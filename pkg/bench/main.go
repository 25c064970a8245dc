package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"sluice/pkg/bench/stand"
)

// Commands that ws-bench runs itself with.
const (
	workerCommand   = "worker"
	servicesCommand = "services"
)

const usageText = `usage:
  ws-bench list                          the scenarios that come with it
  ws-bench show SCENARIO                 one of them, as TOML to start from
  ws-bench run [flags] SCENARIO...       run scenarios: names, or files of your own;
                                         NAME@100000 with that many sockets
  ws-bench stand [flags]                 a stand-in server, to try the tool on

It ends with 0 when all went well, 1 when something could not be run, 2 for wrong
arguments, 3 when a run has problems, such as messages that were lost.

flags of ws-bench run:
`

// Main is ws-bench; it returns the exit code: 1 when something could not be
// run, 2 for wrong arguments, 3 when a run has problems (something was lost).
func Main(args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	var err error
	switch command, rest := args[0], args[1:]; command {
	case "list":
		if err = noMore("list", rest); err == nil {
			err = list(os.Stdout)
		}
	case "show":
		err = show(os.Stdout, rest)
	case "run":
		return runCommand(rest)
	case "stand":
		err = standIn(rest)
	case workerCommand:
		err = work(os.Stdin, os.Stdout)
	case servicesCommand:
		ignoreSignals()
		err = serveServices(os.Stdin, os.Stdout)
	case "help", "-h", "-help", "--help":
		usageOf(os.Stdout)
	default:
		err = wrong(fmt.Errorf("there is no command %q; there are list, show, run, stand and help", command))
	}
	return exitCode(err)
}

// errArguments begins what is wrong with how ws-bench was called.
var errArguments = errors.New("wrong arguments")

// wrong makes an error one of the arguments; nil stays nil.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w:\n%w", errArguments, err)
}

func noMore(command string, args []string) error {
	if len(args) > 0 {
		return wrong(fmt.Errorf("%s takes no arguments", command))
	}
	return nil
}

func exitCode(err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(os.Stderr, "ws-bench:", err)
	if errors.Is(err, errArguments) {
		return 2
	}
	return 1
}

func list(to io.Writer) error {
	for _, name := range Shipped() {
		s, err := LoadScenario(name)
		if err != nil {
			return err
		}
		load := "no load"
		if d := s.Load.Duration; d > 0 {
			load = fmt.Sprintf("%v of load", d)
		}
		fmt.Fprintf(to, "%-10s %s: %s sockets, %s\n", name, s.Title, commas(s.Clients.Sockets), load)
	}
	return nil
}

func show(to io.Writer, names []string) error {
	if len(names) == 0 {
		return wrong(errors.New("show needs the name of a scenario"))
	}
	for _, name := range names {
		text, err := scenarioText(name)
		if err != nil {
			return wrong(err)
		}
		if _, err := to.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// standIn serves until it is told to leave.
func standIn(args []string) error {
	fs := flag.NewFlagSet("ws-bench stand", flag.ContinueOnError)
	address := fs.String("listen", "127.0.0.1:9100", "`address`")
	var f stand.Faults
	fs.Uint64Var(&f.Lose, "lose", 0, "leave out every `n`th delivery")
	fs.Uint64Var(&f.Repeat, "repeat", 0, "send every `n`th delivery twice")
	fs.Uint64Var(&f.Swap, "swap", 0, "send every `n`th delivery after the next of its client")
	fs.Uint64Var(&f.Drop, "drop", 0, "close the connection at every `n`th delivery")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return wrong(err)
	}
	if err := noMore("stand", fs.Args()); err != nil {
		return err
	}
	s, err := stand.Listen(*address, f, nil)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("listening on %s; measure it with: ws-bench run -kind socketio -url %s -server-pid %d SCENARIO\n", s.Addr(), s.Addr(), os.Getpid())
	return s.Run(ctx)
}

// ignoreSignals is for what ws-bench has started: a signal to the whole group
// comes to ws-bench too, which ends it when it needs it no more.
func ignoreSignals() { signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) }
