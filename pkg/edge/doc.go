// Package edge is the client port below HTTP: who is connected and from where,
// how many and how fast, over which TLS, and with which headers.
//
//	accept -> [PROXY header] -> limits of the address -> [TLS] -> net/http -> Guard
//	                                                        \-> door ------>/
//
// A door, on Linux, serves requests for WebSockets without net/http: upgrade.go
// says which. A Listener counts connections and refuses what is too much while
// that is still cheap: before TLS, and before a goroutine where the peer is the
// client. It survives a process without file descriptors. TLS holds what comes
// from files and is read again: certificates by name, authorities of clients, and
// the secret from which session ticket keys are made. Guard is the http.Handler
// in front of all others; it bounds what net/http does not, and finds the
// client's address behind proxies that are believed.
//
// The PROXY header and the lists of forwarding proxies are parsed by pure
// functions. Table, the count and bucket of each address, serves the gateway's
// limits on sessions, too.
package edge
