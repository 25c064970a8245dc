// Package api is the sluice.v1 service: what component services call to reach
// clients, and to hear from them. It validates, checks what the component may do,
// routes, and answers; it holds no connection of a client.
//
//	Push durable     validate - authorize - reserve the key - one Kafka record per target
//	                 - all acked: accepted
//	Push ephemeral   validate - authorize - where are the receivers? - one mesh delivery
//	                 per replica and target, dropped where there is no room
//	Call, Join,      the replica that the socket's id names; if the socket is not there,
//	Leave, Kick      the one that the session index names
//	Reply            the process that the event came from, and no other
//	Subscribe        see below
//
// # Callers
//
// A component proves itself with the metadata sluice-component and sluice-token, or
// with a client certificate. Its [[component]] entry lists what it may do; what is not
// listed is refused. The interceptors do this for every method, so they must be in
// the server's chain.
//
// # Upstream events
//
// Each component has one consumer group, so each gets every event, and a slow one
// delays nobody else. The consumer of a process runs while a Subscribe stream of the
// component is open on it.
//
//	           +-- lane of socket A: e1 e2 e3 --+             +-- stream 1, in flight: e1 ...
//	Kafka -----+-- lane of socket B: e7 --------+-- by rank --+
//	           +-- lane of socket C: e4 e9 -----+             +-- stream 2, in flight: e7 e4
//
// One event of a socket is in flight at a time, so that none overtakes another that
// has to be delivered again, be it for a nack, for an ack that did not come, or for
// the end of its stream. Sockets do not wait for each other. A lane prefers the stream
// that a hash of its socket ranks first, and takes the next one when that is full.
// When all are full, the consumer waits.
//
// An event is acked to Kafka when the component has acked it. Nacked too often, it is
// left to the bus, which puts it aside.
package api
