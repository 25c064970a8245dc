package edge

// maxIdleWorkers is how many goroutines are kept for the next requests.
const maxIdleWorkers = 64

// lend has v served by a goroutine: one that has served others has a stack that
// is large enough.
func (d *door) lend(v *visitor) {
	d.mu.Lock()
	if last := len(d.idle) - 1; last >= 0 {
		w := d.idle[last]
		d.idle = d.idle[:last]
		d.mu.Unlock()
		w <- v
		return
	}
	d.mu.Unlock()
	d.ended.Go(func() { d.work(v) })
}

// work serves v, and then whatever it is given.
func (d *door) work(v *visitor) {
	next := make(chan *visitor, 1)
	for v != nil {
		d.serve(v)
		d.mu.Lock()
		if d.closed || len(d.idle) == maxIdleWorkers {
			d.mu.Unlock()
			return
		}
		d.idle = append(d.idle, next)
		d.mu.Unlock()
		v = <-next
	}
}
