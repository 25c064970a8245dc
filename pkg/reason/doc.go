// Package reason is the one table of why a request was refused, a connection
// was closed or an event was not taken, and what its client should do then.
//
// A Reason is the label of the metric that counts it, the "code" that clients
// are told, and the word in the Disconnect events of components. So the set is
// closed: what is not in the table is neither counted nor told. Clients meet a
// reason in one of four places, each with its own form on the wire:
//
//	HTTP      400 {"code":1,"message":"Session ID unknown"}       Engine.IO, with Retry-After for later
//	connect   44{"message":"…","data":{"code":"unauthorized","retry":"new_token"}}
//	close     42["sluice:closing",{"code":"drain","retry":"now","retryAfterMs":740}], then the close
//	answer    431[{"error":"forbidden","retry":"never"}]          acknowledgements, and sluice:busy
//
// CLIENTS.md holds the table for the developers of clients; `make gen` writes it
// from here.
package reason
