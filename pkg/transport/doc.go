// Package transport keeps Engine.IO sessions alive over WebSocket and HTTP long
// polling: it accepts, reads, writes without ever waiting, upgrades, keeps the
// heartbeat and closes. What a session means is for the layer above, through
// Hooks and Receiver.
//
// A session over its life (what carries it stands in the middle):
//
//	GET, no sid ── polling ──┬── WebSocket with sid: 2probe / 3probe / 5 ──┐
//	                         │                                             ▼
//	                         │         upgrade, no sid ───────────── WebSocket
//	                         ▼                                             ▼
//	                  closed, told at the                   closed: close frame,
//	                  next GET (CloseTimeout)               cut after CloseTimeout
//
// # Writing
//
// Nobody who sends ever waits, and no connection has a goroutine or a buffer
// for writing. Send passes the shared bytes of a Frame to the kernel by itself;
// what the kernel does not take is remembered as a reference to those bytes, and
// a goroutine that lives only while something waits passes it on:
//
//	            role free                    kernel full
//	Send ── take role ── write ── role back ───────────── flusher ── role back
//	   └─ role taken: leave it in the queue, for whoever has the role
//
// A Batch takes the roles of many links and writes for all of them in one system
// call (ring). It never waits while it has them.
//
// # Reading
//
// A reader is two steps: to wait, with no buffer, until something is there, and
// link.readAvailable, which reads what is there in a borrowed seat and does
// not wait for more. Config.Reader says who takes them:
//
//	goroutine   link.loop: each connection has a goroutine that waits in
//	            link.park with next to nothing on its stack
//	reactor     polled.serve: the connection is taken from Go's poller to the
//	            epoll.Set of a loop, whose epoll.Crew lends it a goroutine when
//	            there is something to read; while idle it has none
//
// In a reactor events come once for each change (edge-triggered), so a
// connection goes back to waiting only when it has been read empty and nothing
// has happened meanwhile: polled.park.
//
// # What the WebSocket library checks, and what it does not
//
// gorilla/websocket refuses reserved bits and opcodes, frames without a mask,
// long or fragmented control frames, bad close codes and messages above the
// limit. It does not count fragments or control frames, and lets text that is
// not UTF-8 pass: guard and link.message do that. A message, ping or pong that is
// in the buffer in one piece does not come to it at all (whole.go).
//
// Between messages the library's connection remembers nothing. So it is not the
// client's but a seat's, of which there are as many as readers are at work.
//
// # Compression
//
// Polling answers and, when configured and negotiated, WebSocket messages are
// compressed. The compressed form is one more form of a Frame, built once for
// all its receivers; nothing is kept between messages, in either direction.
// What inflates is bounded: little until Session.Proven, then Config.MaxPayload.
//
// # What the HTTP server has to do
//
// It bounds the reading of headers (ReadHeaderTimeout, MaxHeaderBytes) and idle
// connections (IdleTimeout). Polls wait for up to a heartbeat; the reading of
// bodies and the writing of answers are bounded here, whatever the server says.
//
// # Locks
//
// Session.mu before link.mu before wire.mu; shard.mu alone. No callback is made
// with any of them held. polled.mu and loop.mu are leaves; the only system call
// made with one held is epoll_ctl, which does not wait.
package transport
