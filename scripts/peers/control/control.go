// Package control is what the servers around the peers have in common: a port
// for clients, plain or with TLS, and one for bench-peers, which makes the
// server push, collect its garbage and tell what it has received.
package control

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// Text is what is pushed: about 480 bytes on the wire, with an event's name.
var Text = strings.Repeat("x", 466)

// Listen opens the port for clients: TLS if the program was started with
// -cert and -key.
func Listen() (net.Listener, *tls.Config) {
	cert, key := flag.String("cert", "", "certificate"), flag.String("key", "", "its key")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if *cert == "" {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	return l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
}

// Serve says where the two ports are, and answers the second one for as long as
// the process lives. push sends Text so many times, count is how many messages
// have come from clients.
func Serve(address net.Addr, push func(times int), count func() int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/push", func(_ http.ResponseWriter, r *http.Request) {
		times, _ := strconv.Atoi(r.FormValue("times")) // it is a number
		push(times)
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, count()) })
	mux.HandleFunc("/gc", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"address": address.String(), "control": l.Addr().String()}); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(l, mux))
}
