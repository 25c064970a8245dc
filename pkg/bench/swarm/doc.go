// Package swarm is many Socket.IO clients in one process: tens of thousands at a
// few hundred bytes each, on one goroutine per loop.
//
// A loop owns its clients, an epoll descriptor and one read buffer that all of
// them share; nothing of it is locked on the way of a message. What the clients
// speak is written out here rather than taken from the server's packages, so
// that a mistake there is not made twice: WebSocket without extensions,
// Engine.IO 4 and Socket.IO 5 in the namespace "/".
//
// Messages that are to be counted carry a mark as their first argument, the
// text "stream.number.time". Each client belongs to one stream, whose numbers
// it expects without a hole from its connect on.
package swarm
