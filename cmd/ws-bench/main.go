// Command ws-bench puts load on Socket.IO gateways and reports what came of it.
package main

import (
	"os"

	"sluice/pkg/bench"
)

func main() { os.Exit(bench.Main(os.Args[1:])) }
