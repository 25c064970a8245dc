// Command ws-api lets component services push to sockets and hear from them.
package main

import (
	"os"

	"sluice/pkg/app"
)

func main() { os.Exit(app.API(os.Args[1:])) }
