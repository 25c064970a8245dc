// Package component is what a backend service uses to talk to Sluice: it
// pushes events to clients, asks them, moves them in and out of documents, and
// receives what they send.
//
//	c, err := component.Dial(ctx, component.Options{
//		Address: "ws-api:9200", Component: "comments", Token: token,
//	})
//	...
//	_, err = c.Push(ctx, component.Push{
//		Documents: []string{"d-17"}, Event: "comment", Args: []any{comment},
//	})
//
// # Arguments
//
// An event has a name and arguments, as in Socket.IO: emit("comment", a, b) at
// one end is on("comment", (a, b) => ...) at the other. Args are marshalled
// with encoding/json, one value per argument, with one exception: a []byte
// becomes a binary argument, as a Buffer or ArrayBuffer would. That holds for
// an argument that is a []byte and for a []byte inside a map[string]any or an
// []any; a []byte field of a struct stays what encoding/json makes of it, a
// base64 string. Whoever has JSON already passes a Payload and nothing is
// marshalled.
//
// In the other direction Bind unmarshals arguments into Go values. A binary
// argument goes into a []byte, also one that is a struct field; into an any it
// comes as []byte.
//
// # Outcomes
//
// Every call has a deadline, 3 s if the context has none. A call that ends in
// DEADLINE_EXCEEDED or UNAVAILABLE may have been done. Look-ups are retried
// when the server was unreachable, and so are durable pushes, which carry an
// idempotency key for that purpose: at most 3 attempts, and retries are at most
// a tenth of the requests, so that a struggling server is not pushed under.
// Nothing else is retried.
//
// # Receiving
//
// Subscribe delivers what clients do, at least once: an event whose handler
// returned nil is acknowledged, any other comes again, under the same Mid.
// Events of one socket are handled one after another in the order they were
// sent, those of different sockets at the same time.
package component
