package mesh

import (
	"sync"
	"time"
)

// deadline wakes those who wait when its time has come. It is guarded by the
// lock of their condition.
type deadline struct {
	passed bool
	timer  *time.Timer // runs, or has run: nil when there is no deadline
}

func (d *deadline) setLocked(t time.Time, waiting *sync.Cond) {
	d.stop()
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		waiting.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		waiting.L.Lock()
		defer waiting.L.Unlock()
		if d.timer == timer { // not one that fired while it was being replaced
			d.passed = true
			waiting.Broadcast()
		}
	})
	d.timer = timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
