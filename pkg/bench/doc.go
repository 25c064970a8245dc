// Package bench is ws-bench: it puts clients on a Socket.IO gateway, makes
// messages go up and down, and reports what came of it and what it cost.
//
// One process conducts. It starts workers, which hold the clients (package
// swarm); it pushes through the target, Sluice's gRPC API or a stock server's
// own handlers; once a second it asks the workers what came, and the system what
// the server's processes use. Each counted message is announced to the workers
// before it is pushed, so that every client session knows what it had to get.
//
// A receipt is an event that a client sends when it has got a message. Through
// Sluice it goes all the way up: gateway, Kafka, WS-API, component.
package bench
