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
		err = list(os.Stdout)
	case "show":
		err = show(os.Stdout, rest)
	case "run":
		return runCommand(rest)
	case "stand":
		err = standIn(rest)
	case workerCommand:
		err = work(os.Stdin, os.Stdout)
	case servicesCommand:
		ignoreInterrupt()
		err = serveServices(os.Stdin, os.Stdout)
	case "help", "-h", "-help", "--help":
		fmt.Print(usageText)
		runFlags(&runOptions{}, os.Stdout).PrintDefaults()
	default:
		fmt.Fprintf(os.Stderr, "ws-bench: there is no command %q\n\n%s", command, usageText)
		return 2
	}
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 0
	}
	fmt.Fprintln(os.Stderr, "ws-bench:", err)
	return 1
}

func list(to io.Writer) error {
	for _, name := range Shipped() {
		s, err := LoadScenario(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(to, "%-10s %s: %s sockets, %v\n", name, s.Title, commas(s.Clients.Sockets), s.Load.Duration)
	}
	return nil
}

func show(to io.Writer, names []string) error {
	for _, name := range names {
		text, err := scenarioText(name)
		if err != nil {
			return err
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
	if err := fs.Parse(args); err != nil {
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

func ignoreInterrupt() { signal.Ignore(os.Interrupt) }
