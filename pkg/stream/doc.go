// Package stream is the recent history of every target of durable messages and
// their broadcast to the gateways. It owns the stream keys in Redis.
package stream
