// Package id names what Sluice talks about: sockets, messages, replicas, users,
// documents, and the targets that a push can have. Each name has a type of its
// own, so that a user cannot be passed for a document. It also mints the ids of
// sockets and messages. The package does no I/O and imports nothing of Sluice.
//
// A minted id is a snowflake of 63 bits, the uppermost bit is zero:
//
//	 63 62                                        22 21          10 9         0
//	+--+--------------------------------------------+--------------+-----------+
//	|0 | milliseconds since Epoch (41 bits)         | replica (12) | seq (10)  |
//	+--+--------------------------------------------+--------------+-----------+
//
// Its text form is RFC 4648 base32hex of the 8 bytes, big endian, lower case and
// without padding: always 13 characters, and texts sort as their ids do.
//
// Ids never repeat because time itself is leased. The owner of a replica number
// holds a Window of id milliseconds and mints only inside it, and a later owner of
// the same number is given a Window that begins where the former one ended:
//
//	owner 1   (After₁ ............ Until₁]
//	owner 2                        (After₂ = Until₁ ............ Until₂]
//
// Nothing else has to hold for this to work: neither owner needs to know of the
// other, and a clock that stands still, jumps back or jumps ahead can only make a
// Generator refuse, never repeat.
package id
