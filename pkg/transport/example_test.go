package transport_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/gorilla/websocket"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/transport"
)

// echo sends back what it gets.
type echo struct{ session *transport.Session }

func (e echo) Message(data []byte, binary bool) {
	own := append([]byte(nil), data...) // data is valid during the call only
	if binary {
		e.session.Send(transport.NewBinaryFrame(own))
	} else {
		e.session.Send(transport.NewFrame(own))
	}
}

func (e echo) Closed(reason transport.Reason) { fmt.Println("closed:", reason) }

func Example() {
	var ids atomic.Uint64
	server := transport.NewServer(transport.DefaultConfig(), transport.Hooks{
		NewID: func() (uint64, error) { return ids.Add(1), nil },
		Open: func(s *transport.Session, r *http.Request) transport.Receiver {
			return echo{s}
		},
	}, transport.NewMetrics(prometheus.NewRegistry()), elog.DefaultLogger)

	ctx, leave := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- server.Run(ctx) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	web := &http.Server{Handler: server}
	go web.Serve(transport.Listen(listener))

	client, _, err := websocket.DefaultDialer.Dial("ws://"+listener.Addr().String()+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		panic(err)
	}
	client.ReadMessage() // the open packet
	client.WriteMessage(websocket.TextMessage, []byte("4hello"))
	_, answer, _ := client.ReadMessage()
	fmt.Printf("%s\n", answer)
	client.WriteMessage(websocket.TextMessage, []byte("1"))
	client.ReadMessage() // the close frame
	client.Close()

	leave()
	<-ran
	web.Close()
	// Output:
	// 4hello
	// closed: client_close
}

func ExampleJoin() {
	first := transport.NewFrame([]byte("first"))
	second := transport.NewFrame([]byte("second"), []byte{1, 2, 3})
	var receivers []*transport.Session
	both := transport.Join(first, second) // built once for all of them
	for _, s := range receivers {
		s.Send(both) // one system call each
	}
}
