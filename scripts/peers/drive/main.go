// Command drive measures Sluice, the servers in scripts/peers and a bare loop of
// writes one after the other, and prints them side by side. scripts/bench-peers.sh
// builds and installs what it starts.
//
// A round starts each server twice, plain and with TLS, as a process of its own,
// and reads memory and CPU of that process from /proc. Ratios are to the bare loop
// of the same round; the table has the medians of the rounds.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	"sluice/pkg/devcert"
)

type settings struct {
	bin     string // folder of our programs
	peers   string // folder of scripts/peers
	sockets int
	rounds  int
	only    string
	out     string

	cert, key string // made for the run
}

func main() {
	var s settings
	flag.StringVar(&s.bin, "bin", "bin", "folder of the programs")
	flag.StringVar(&s.peers, "peers", "scripts/peers", "folder of the peers")
	flag.IntVar(&s.sockets, "sockets", 2000, "connections for each measurement")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds, of which the table has the medians")
	flag.StringVar(&s.only, "only", "", "names of servers, with commas between them; bare is always among them")
	flag.StringVar(&s.out, "out", "", "file for all figures, JSON")
	flag.Parse()
	if err := run(&s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(s *settings) error {
	dir, err := os.MkdirTemp("", "bench-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cert, err := devcert.New(nil, "bench-peers", "127.0.0.1")
	if err != nil {
		return err
	}
	if s.cert, s.key, err = devcert.Write(cert, dir, "servers"); err != nil {
		return err
	}
	var rounds []round
	for i := range s.rounds {
		r := round{}
		for _, c := range candidates {
			if s.only != "" && c.name != bare && !strings.Contains(","+s.only+",", ","+c.name+",") {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", i+1, s.rounds, c.name)
			if r[c.name], err = measureBoth(s, &c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		rounds = append(rounds, r)
	}
	if s.out != "" {
		text, err := json.MarshalIndent(map[string]any{"sockets": s.sockets, "rounds": rounds}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.out, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	fmt.Print(table(rounds))
	return nil
}

// measureBoth measures a server plain, then with TLS.
func measureBoth(s *settings, c *candidate) (figures, error) {
	all := figures{}
	for _, secure := range []bool{false, true} {
		if err := measure(s, c, secure, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}
