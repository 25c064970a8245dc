// Package gateway is what a connection means: who may connect, which
// documents a socket belongs to, how its events go up to Kafka and how pushes
// come down to it.
//
//	client ── transport ── Connection ──┬─ up:   event.go   -> ws.up (Kafka)
//	                                    ├─ in:   room.go    -> shard (members)
//	                                    └─ away: leave.go   -> index, Disconnect
//
//	ws.down ── relay.go ── stream ── deliver.go ──┐
//	WS-API  ── mesh.go  (ephemeral, calls) ───────┴─ shard workers ── Send
//
// A connection lives in exactly one shard. The shard's mutex guards everything
// that says who is where: its connections, its rooms and the fields of
// Connection marked so. The shard's worker is the only goroutine that fans out
// to its sockets, so that every socket sees one order. Nothing is sent and
// nothing outside is called while the mutex is held.
//
// Lock order: shard.mu is a leaf, and no goroutine holds two of them.
package gateway
