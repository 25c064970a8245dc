// Package epoll waits for very many descriptors with no goroutine for any of
// them, and lends a goroutine to each on which something has happened, for as
// long as it takes.
//
//	descriptors ── Set ── Lend: who is it? ── Crew: stand in line ── serve
//
// A Set is one epoll descriptor (Linux), which itself waits in Go's poller, so
// that no thread blocks in it. Who owns a descriptor, reads it and closes it is
// the caller's business: events say that something may have happened, and may
// come late, for a descriptor that has been closed or is another one's by then.
//
// The client port uses it for connections that have not said anything yet, the
// reactor of pkg/transport for those that are open.
package epoll
