// Package session is the index of who is where: which sockets a user has, which
// are members of a document, which replica holds each of them. It owns the keys
// of the index in Redis, and those of the tokens that were withdrawn:
//
//	ws:client:{socket}             hash    user, replica, boot, auth_type, version,
//	                                       locale, since, doc:{guid} -> version of the join
//	ws:user:clients:{uid}          zset    socket:tag -> last seen
//	ws:guid:clients:{guid}         zset    socket:tag -> last seen; with Parts above 1 also
//	                                       ws:guid:clients.1:{guid} and so on
//	ws:guid:nodes:{guid}           zset    replica:tag -> last refresh
//	ws:node:{replica}              string  the lease: "started boot"
//	ws:nodes                       zset    replica:boot -> last heartbeat; all that are not swept
//	ws:node:clients:{replica}:{boot} zset  socket -> last seen; what a dead process left
//	ws:node:sweep:{replica}:{boot} string  the lock of who sweeps
//	ws:revoked:user:{type or *}:{uid}   string  Unix ms up to which the user's tokens were issued
//	ws:revoked:token:{type or *}:{jti}  string  anything; both live as long as they are remembered
//	ws:revoked:recent              zset    the revocations of the last 10 minutes as JSON -> Unix ms
//
// Times are Unix microseconds. A tag is 8 hexadecimal digits made of the boot
// id: lists carry it because a replica that was restarted keeps its number, and
// its former sockets are dead. Every key expires. Keys of one operation are in
// different slots of a Redis Cluster, so each command uses one key, and the
// commands are sent in pipelines. Changes, and questions about revocations, share
// theirs with those of other callers: see group.
//
// # Truth
//
// Gateways hold the truth, Redis repeats it. Each write is followed by a second
// look at Local, which takes back what ceased to be true in the meantime:
//
//	gateway   drop ----------------- Remove
//	refresh         write ... look: gone -> Remove as well
//
// Whatever ends before that look is seen by it. Whatever ends later is removed
// by its own Remove or Leave, and that is sent after the write was answered. So
// the refresh may add members without asking, and thereby repairs the lists.
// Joins and leaves carry a version, drawn from one rising sequence of the
// process and kept as the score: a late leave finds a higher one and does
// nothing. A change that failed makes the socket one in doubt, and it is
// repaired: what Redis has of it is made what Local has.
//
// # Life and death
//
// A replica lives while its lease does. Look-ups return nothing of others: they
// compare each socket's replica and tag with the leases, which are at most
// NodesFor old. So a dead replica's sockets vanish within LeaseTTL + NodesFor,
// although their entries are still there, until one survivor sweeps them:
//
//	lease gone for SweepGrace, or in the hands of a younger boot
//	  -> lock -> read a page of ws:node:clients -> lost for each -> remove those
//	  -> ... -> take the node off ws:nodes
//
// The set of a process' sockets lives for TTL after its death and their records
// for at least two thirds of TTL: that long the sweep can wait for a survivor.
// When all gateways are away for longer, the entries expire unreported.
//
// # Loss
//
// A lease that is gone although it was renewed in time means that Redis was
// emptied; another run id, that it was restarted or replaced and may be of
// yesterday. Both make the gateway write everything again at once. Revocations
// are nobody's to write again: after a loss only the gateways that were told
// know them, until they restart.
package session
