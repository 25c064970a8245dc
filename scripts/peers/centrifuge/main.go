// Command centrifuge is a server around github.com/centrifugal/centrifuge: all
// clients are in one channel, and what they send is counted.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"sync/atomic"

	"github.com/centrifugal/centrifuge"

	"peers/control"
)

const channel = "m"

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	var received atomic.Int64
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		// The channel comes with the connect, which is the cheapest way into it.
		return centrifuge.ConnectReply{
			Credentials: &centrifuge.Credentials{}, Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}},
		}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnMessage(func(centrifuge.MessageEvent) { received.Add(1) })
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	// Tuned: small read buffers, and write buffers from a pool.
	handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{ReadBufferSize: 512, UseWriteBufferPool: true})
	l, secure := control.Listen()
	server := &http.Server{Handler: handler, TLSConfig: secure}
	go func() {
		if secure != nil {
			log.Fatal(server.ServeTLS(l, "", ""))
		}
		log.Fatal(server.Serve(l))
	}()
	data, err := json.Marshal(control.Text)
	if err != nil {
		log.Fatal(err)
	}
	control.Serve(l.Addr(), func(times int) {
		for range times {
			if _, err := node.Publish(channel, data); err != nil {
				log.Fatal(err)
			}
		}
	}, received.Load)
}
