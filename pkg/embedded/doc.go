// Package embedded runs what Sluice needs inside the process: a Kafka, a Redis
// and a SQL database that speak the real protocols, for ws-dev and for tests.
// The programs reach them through the same clients as the real ones.
package embedded
