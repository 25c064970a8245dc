// Package socketio turns Socket.IO packets into bytes and back, for both
// protocol generations and both forms on the wire. It has no I/O, no clock and
// no goroutine, and it never decodes what an application sent: arguments stay
// the raw JSON they arrived as, checked by one bounded scan.
//
// The text form (socket.io-parser 3.x and 4.x), without the Engine.IO "4" in
// front of it:
//
//	type [attachments "-"] ["/" namespace ","] [ack id] [JSON]
//
//	0                               CONNECT to "/"
//	0/admin,{"token":"x"}           CONNECT to "/admin" with auth (revision 5)
//	0/admin?token=x,                the same from a revision 4 client
//	0{"sid":"0a1b"}                 the answer, revision 5; a bare 0 in revision 4
//	1/admin,                        DISCONNECT
//	2/admin,7["edit",{"at":3}]      EVENT that asks for ack 7
//	3/admin,7["ok"]                 ACK 7
//	4{"message":"no","data":1}      CONNECT_ERROR, revision 5; the data alone in 4
//	51-["blob",{"_placeholder":true,"num":0}]   BINARY_EVENT, one attachment follows
//	61-7[{"_placeholder":true,"num":0}]         BINARY_ACK
//
// The MessagePack form (socket.io-msgpack-parser) is one binary frame per
// packet, a map of type, nsp, data and id, with binary values in place. It is
// converted to and from the text form's JSON with placeholders and attachments,
// so that the rest of the house knows one form only.
//
// Where the parser is stricter than socket.io-parser 4.2:
//
//   - attachment counts and ack ids are decimal digits only (the reference also
//     takes "1e0", "0x1" and white space), an ack id ends at 2^53-1, and the
//     JSON starts right after the id, without white space;
//   - EVENT and ACK need a payload ("2" and "31" are refused);
//   - a placeholder's num is an integer in plain digits (the reference takes 0.5
//     and delivers undefined);
//   - depth, event name, namespace and attachments are bounded by [Limits], and
//     a namespace holds no control character;
//   - in MessagePack, map keys are strings, unknown extension types are refused,
//     and the attachment limit holds there too.
package socketio
