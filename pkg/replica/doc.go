// Package replica gives this process its number among 4,096 and a lease on id time,
// and tells who else is alive. It owns the table replicas in MySQL, MariaDB or
// SQLite; gateways and WS-APIs share the numbers.
//
// A row is one number. It passes from owner to owner and is never deleted:
//
//	never used --insert--> up --SetState--> draining --Release--> gone
//	                       |  \________________|__________________/ |
//	                       |            restart of the same name:   |
//	                       |<-- inherits at once, whatever the state|
//	                       |                                        |
//	                       +-- quarantine after lease and heartbeat |
//	                       |   have ended, then anybody recycles <--+
//
// Who comes with the service, name and version of a row inherits its number; a new
// version gets a number of its own, so that the two versions of an update never
// meet under one. The choice is made on a plain read and claimed with one
//
//	UPDATE replicas SET epoch = epoch+1, … WHERE id = ? AND epoch = ? AND lease_until = ?
//
// or one INSERT, of which exactly one starter can succeed; the others choose again.
//
// # The lease
//
// lease_until is a millisecond of id time (see package id). The owner mints only
// ids up to it, the next owner only later ones, whatever their clocks say:
//
//	row   lease_after           lease_until
//	         (......................]                    first owner
//	                                (...............]    second owner
//
// The owner raises it every 30 s to a day ahead, and mints beyond the old end only
// after the new one is committed. So it needs the database once a day, and whoever
// takes the number over needs nothing from it. After a crash the rest of the day is
// lost to its successor, whose ids therefore run up to a day ahead of the clock; an
// orderly Release gives it back.
//
// A process whose number went to another boot of the same name finds its heartbeat
// refused, extends nothing any more and is told by ErrTakenOver from Run. It may
// finish its work: its window stays its own.
//
// # The living
//
// Each process writes a heartbeat every 3 s with its state and load, and reads all
// rows. Another process is alive as long as its heartbeat changes; clocks of
// different machines are compared only at first sight. While the database is away
// nobody can be seen to die, so the list stays as it was.
package replica
