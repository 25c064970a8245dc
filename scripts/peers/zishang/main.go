// Command zishang is a server around github.com/zishang520/socket.io: it emits to
// everybody, and counts what clients emit.
package main

import (
	"log"
	"net/http"
	"sync/atomic"

	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"peers/control"
)

func main() {
	options := socket.DefaultServerOptions()
	options.SetServeClient(false)
	options.SetTransports(types.NewSet[transports.TransportCtor](engine.WebSocket))
	io := socket.NewServer(nil, nil)
	var received atomic.Int64
	err := io.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		for _, event := range []string{"bench:up", "bench:receipt"} {
			if err := client.On(event, func(...any) { received.Add(1) }); err != nil {
				log.Fatal(err)
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	l, secure := control.Listen()
	server := &http.Server{Handler: io.ServeHandler(options), TLSConfig: secure}
	go func() {
		if secure != nil {
			log.Fatal(server.ServeTLS(l, "", ""))
		}
		log.Fatal(server.Serve(l))
	}()
	control.Serve(l.Addr(), func(times int) {
		for range times {
			io.Emit("m", control.Text)
		}
	}, received.Load)
}
