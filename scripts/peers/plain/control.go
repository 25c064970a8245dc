package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
)

// control is scripts/peers/control once more: that is of another module.
func control(address net.Addr, push func(times int), count func() int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/push", func(_ http.ResponseWriter, r *http.Request) {
		times, _ := strconv.Atoi(r.FormValue("times")) // it is a number
		push(times)
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, count()) })
	mux.HandleFunc("/gc", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"address": address.String(), "control": l.Addr().String()}); err != nil {
		fail(err)
	}
	fail(http.Serve(l, mux))
}
