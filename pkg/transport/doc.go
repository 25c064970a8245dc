// Package transport keeps Engine.IO sessions alive over WebSocket and HTTP long
// polling: it accepts, reads, writes without ever blocking, upgrades, keeps the
// heartbeat and closes.
package transport
