// Package stream is the recent history of every target of durable messages, and
// their broadcast to all gateways. It owns these keys in Redis, where {N} is the
// number of the target's shard and the hash tag of a Redis Cluster:
//
//	ws:stream:{N}:state       hash    e epoch, q sequence, r run id, k newest mark
//	ws:stream:{N}:marks       list    "ms:sequence", which sequence it was at which time
//	ws:stream:{N}:log         stream  sequence -> target and mid
//	ws:stream:{N}:s:{target}  stream  sequence -> mid and body: the history
//	ws:stream:{N}:m:{target}  zset    mid -> sequence: what was appended already
//	ws:stream:{N}:t:{target}  hash    bytes, last sequence, last one cut off
//	ws:stream:{N}:k:{hash}    hash    an idempotency key: mid, digest, done
//	ws:stream:{N}:live        channel the broadcast
//
// All keys of targets expire; a state and a log for each shard stay.
//
// # Sequence and epoch
//
// Append is one script: it numbers the message, writes it to the log and to the
// history, and publishes it. So the sequence of a shard has no holes, and what
// was published can be read again by its number.
//
//	append   seq+1 -> log, history, PUBLISH "epoch seq mid target body"
//	follower       seq == last+1   hand out
//	               seq >  last+1   lost: read log and history, then hand out
//	               announced > last for Grace   lost at the tail: read it
//	               not readable    Gap, and on behind it
//
// An epoch is the time in which Redis has not lost anything. The scripts look at
// the server's run id, and at the highest sequence that the caller has seen.
// When the id is not the recorded one, or Redis has less than was seen, a new
// epoch begins before anything else happens. Its number is the sequence that it
// begins at: the time in microseconds, or more. So sequences rise for ever, over
// restarts, flushes and clocks that step back, and who knows the epoch knows
// where it began. What came last in the old epoch cannot be known, so an epoch
// that begins is a gap to everybody.
//
// # Bounds of a history
//
// Entries are cut off when there are more than MaxEntries, when their bodies and
// 64 bytes for each exceed MaxBytes (exactly counted), and when they are older
// than Window; that is looked at once in a sixteenth of Window, so they may be
// an eighth older. Read tells whether anything after a position was cut off. The
// hash of a target is remembered for longer than its history, to tell a target
// that had no message from one whose messages are gone.
package stream
