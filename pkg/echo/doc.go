// Package echo is a component that says back what it hears, for tests of
// clients: those of this repository, and the protocol suites of others. Like
// pkg/docs it knows the SDK in pkg/component and nothing else of the service.
//
// What a client says and hears, in whatever namespace it is connected to (C the
// client, E this component; the arrow with a dot is an acknowledgement):
//
//	C connects                    E -> C  auth          the auth payload, {} without one
//	C -> E  message           ... E -> C  message-back  ...
//	C -> E  message-with-ack  ... C <.. E ...
//	C -> E  burst             n, ms   E -> C  message-back 0 to n-1, ms apart
//	C -> E  disconnect-me     close   E disconnects the socket; true closes the connection
//
// Arguments are passed on as they are, binary ones too. All that it pushes to a
// socket is durable, so it arrives once and in order; an acknowledgement takes
// the short way, and may overtake what was pushed before it.
package echo
