package transport

import "time"

// shut sends a last frame and leaves the connection to the client for a while,
// so that it takes notice before it is cut.
func (l *link) shut(frame []byte) { l.shutWithin(frame, l.s.srv.cfg.CloseTimeout) }

// shutWithin is shut with a time of its own. When the last frame has been sent
// already only the time is set.
func (l *link) shutWithin(frame []byte, d time.Duration) {
	l.put(frame, true)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lingerLocked(d)
}

// farewell is shut for a session that is being closed or fading.
func (l *link) farewell(fading bool) {
	d := l.s.srv.cfg.CloseTimeout
	if fading {
		d += l.s.srv.cfg.FlushTimeout
	}
	l.shutWithin(emptyClose, d)
}

// lingerLocked sets the time that a client has to close its side.
func (l *link) lingerLocked(d time.Duration) {
	switch {
	case l.dead:
	case l.timer == nil:
		l.timer = time.AfterFunc(d, l.kill)
	default:
		l.timer.Reset(d)
	}
}

// kill cuts the connection and drops what waits. The descriptor of a plain
// connection may be in use by whoever is writing at this moment without
// waiting: then closing is left to that one.
func (l *link) kill() {
	l.mu.Lock()
	l.ended = true
	if l.dead {
		l.mu.Unlock()
		return
	}
	l.dead = true
	l.dropLocked()
	if l.role == caller && l.kind == overTCP {
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	if l.kind != overAny {
		l.conn.Close()
		return
	}
	// A connection of an unknown kind may take its time to close.
	l.s.srv.running.Add(1)
	go func() {
		defer l.s.srv.running.Done()
		l.conn.Close()
	}()
}

// cut is kill for who does not read: what the kernel still holds for it is
// dropped, too.
func (l *link) cut() {
	l.forget()
	l.kill()
}

// forget makes closing drop what the kernel holds.
func (l *link) forget() {
	if c, ok := l.conn.(carrier); ok {
		c.SetLinger(0)
	} else if l.kind == overTLS {
		l.wire().SetLinger(0)
	}
}

// pending is how many bytes wait.
func (l *link) pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		return 0
	}
	return l.queue.bytes
}
