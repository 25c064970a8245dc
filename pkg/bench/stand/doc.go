// Package stand is a stand-in for a Socket.IO server: the smallest that speaks
// what ws-bench asks of a stock server. It says whether the tool counts right,
// because it loses and repeats messages when it is told to, and what the tool
// itself costs.
//
// What ws-bench asks of a stock server, in any language, is three handlers on
// the namespace "/":
//
//   - a connecting client's auth may name rooms to join: {"documents":["d0"]};
//   - "bench:push" (room, event, ...args), with ack: emit event(...args) to the
//     room, to everybody if room is "", then acknowledge; the id of a socket is
//     a room with that socket in it;
//   - "bench:echo" (mark, ...), with ack: acknowledge with the mark;
//   - "bench:receipt" and "bench:up": count them;
//   - "bench:count" (), with ack: acknowledge {"receipts": n, "ups": n}.
package stand
