// Package embedded runs what Sluice needs inside the process: a Kafka, a Redis
// and a SQL database that speak the real protocols, for ws-dev and for tests.
// The programs reach them through the same clients as the real ones.
//
// Known to differ from a real Kafka: a member that dies while it waits to join a
// consumer group for the first time may stay in the group for ever, with its share
// of the partitions. The timer that ends a member begins with the answer to its join,
// which here is not counted as given when its connection is gone.
package embedded
