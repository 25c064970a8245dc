// Package mesh is the inner network: gRPC from WS-API to the gateways, and
// between gateways.
//
// It carries four kinds of traffic, all of them addressed to a boot id, so
// that what was meant for a dead process never reaches its successor:
//
//	Deliver   ephemeral pushes: never blocks, never retried, dropped when late
//	Call      one question to one socket, and its answer
//	Control   join, leave, kick; and Reply, the answer to a client's event
//	Forward   one poll or POST of a session that lives on another gateway
//	Tunnel    one WebSocket of a session that lives on another gateway
//
// A process that serves sockets has a Server, a process that talks to such
// processes has a Client; a gateway has both. Where a replica lives and which
// boot it is at is the Directory's knowledge.
//
// # One WebSocket through a tunnel
//
//	client              caller (Client.Forward)            callee (Server)
//	  | GET ... Upgrade    |                                    |
//	  |------------------->| Chunk{request}                     |
//	  |                    |----------------------------------->| Handler.ServeHTTP
//	  |                    |                                    |   Hijack, 101
//	  |                    |                Chunk{data: 101 ..} |
//	  |                    |<-----------------------------------|
//	  |      (hijack) 101  |                                    |
//	  |<-------------------|                                    |
//	  | frames             | Chunk{data}            Chunk{data} |
//	  |<==================>|<==================================>| net.Conn
//	  | FIN                | CloseSend                          |
//	  |------------------->|----------------------------------->| Read: io.EOF
//	  |                    |                      end of stream |
//	  |              close |<-----------------------------------| Close
//	  |<-------------------|                                    |
//
// The caller keeps the client's connection in the hands of net/http until the
// callee's first bytes have come, so that everything that can go wrong before
// is still an error that the caller can answer in HTTP.
//
// # What is in memory for one tunnel
//
// Each side holds at most one HTTP/2 stream window, one chunk that has been
// received and not been taken, and one buffer that has been written and not
// been sent. Beyond that the writer waits: the slow end of a tunnel slows the
// other end down, and never the other tunnels of the same connection.
package mesh
