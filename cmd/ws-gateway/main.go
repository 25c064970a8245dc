// Command ws-gateway holds the connections of browsers and apps.
package main

import (
	"os"

	"sluice/pkg/app"
)

func main() { os.Exit(app.Gateway(os.Args[1:])) }
