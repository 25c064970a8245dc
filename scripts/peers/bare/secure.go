package main

import (
	"crypto/tls"
	"log"
	"net"
)

// accept serves TLS connections with a goroutine each: the handshake has one, and
// crypto/tls cannot be read without.
func accept(l net.Listener, config *tls.Config) {
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			c := tls.Server(conn, config)
			buf := make([]byte, 4096)
			n, err := c.Read(buf)
			if err == nil {
				_, err = c.Write([]byte(upgraded(string(buf[:n]))))
			}
			if err == nil {
				go read(c) // on a fresh stack
			}
		}()
	}
}

func read(c *tls.Conn) {
	defer c.Close()
	buf := make([]byte, 256)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		count(buf[:n])
	}
}
