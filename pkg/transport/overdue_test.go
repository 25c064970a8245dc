package transport

import (
	"testing"
	"time"
)

// The wheel is coarse; who comes after its time is refused to the millisecond.
func TestWhoComesLateIsGone(t *testing.T) {
	short := config(func(c *Config) { c.PingInterval, c.PingTimeout = 310*time.Millisecond, 210*time.Millisecond })
	for _, eio := range []int{3, 4} {
		inTime(t, func(t *testing.T, w *world) {
			q, c := w.poll(eio)
			time.Sleep(518 * time.Millisecond)
			w.ask("POST", q, map[int]string{3: "2:4a", 4: "4a"}[eio]).wants(t, 200, "ok")
			c.wants("a")
		}, short)
		inTime(t, func(t *testing.T, w *world) {
			q, c := w.poll(eio)
			time.Sleep(521 * time.Millisecond)
			w.ask("GET", q, "").wants(t, 400, sessionUnknown)
			c.wantsClosed(ReasonPingTimeout)
		}, short)
	}
}
