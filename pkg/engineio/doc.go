// Package engineio is the Engine.IO protocol, generations 3 and 4, without a
// socket, a clock or a goroutine: bytes and times in, packets and decisions out.
//
// A conversation over long polling that moves to a WebSocket (generation 4;
// lines from the client are marked >, \x1e is the byte 30):
//
//	> GET  ?EIO=4&transport=polling
//	       0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,…}
//	> POST ?EIO=4&transport=polling&sid=…        40
//	       ok
//	> GET  ?EIO=4&transport=polling&sid=…
//	       4hello\x1ebAQID            text, and binary as b + base64
//	> GET  ?EIO=4&transport=websocket&sid=…  (upgrade)
//	> 2probe
//	       3probe
//	       6                          to the waiting GET, so that it returns
//	> 5                               from here on everything is on the WebSocket
//	       2
//	> 3
//	       4text, or a binary frame with the bare bytes
//	> 1                               or a close frame
//
// Generation 3 differs: in a payload each packet has its length in UTF-16 units
// in front ("6:4hello"), or the payload is framed as bytes when it holds binary
// and the client can take that; binary packets carry a leading type byte; the
// client pings and the server answers.
//
// Packet and payload code is in packet.go, payload.go, payload3.go and jsonp.go;
// what a request must look like in query.go and check.go; what may follow what
// in state.go, probe.go and react.go; when to ping in heartbeat.go.
package engineio
