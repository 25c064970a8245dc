// Command ws-dev runs both services, and all that they need, in one process.
package main

import (
	"os"

	"sluice/pkg/app"
)

func main() { os.Exit(app.Dev(os.Args[1:])) }
