package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/gotomicro/ego/core/elog"
)

// serve reads what has come first.
func (d *door) serve(v *visitor) {
	h := heads.Get().(*head)
	defer heads.Put(h)
	n, err := syscall.Read(v.fd, h.buf[:])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		d.again(v)
		return
	case err != nil || n == 0:
		if v.behind {
			d.l.m.refused.WithLabelValues(string(BadHeader)).Inc()
		}
		v.close()
		return
	}
	b, ok := v.introduce(h.buf[:n])
	if ok && d.l.secure != nil {
		ok = len(b) > 0 && b[0] == handshakeRecord
	}
	var r *http.Request
	if ok && d.l.secure == nil {
		r = h.request(b, n)
		ok = r != nil
	}
	if !ok {
		d.pass(v, h.buf[:n])
		return
	}
	if verdict := v.settle(); verdict != Welcome {
		d.l.m.refused.WithLabelValues(string(verdict)).Inc()
		v.abort()
		return
	}
	if r == nil {
		d.shake(v, b)
		return
	}
	v.forget()
	d.answer(&bareReply{reply{from: v, header: make(http.Header)}}, r, v)
}

// handshakeRecord is how TLS begins.
const handshakeRecord = 22

// shake does the TLS handshake that begins with b, and serves the request after
// it. A goroutine that has done others has a stack that is large enough.
func (d *door) shake(v *visitor, b []byte) {
	x := newLine(v, b)
	c := d.l.secure(x)
	n, err := 0, d.hold(v)
	if err == nil {
		err = c.HandshakeContext(context.Background()) // the door bounds it
	}
	h := heads.Get().(*head)
	defer heads.Put(h)
	if err == nil {
		err = d.hold(v) // a request has its own time
	}
	if err == nil {
		n, err = c.Read(h.buf[:])
	}
	if err != nil {
		_ = c.Close() // nothing more comes
		return
	}
	r := h.request(h.buf[:n], n)
	if r == nil {
		if x.become() == nil {
			d.give(&secured{c, slices.Clone(h.buf[:n])})
		}
		return
	}
	state := c.ConnectionState()
	r.TLS = &state
	d.answer(&reply{from: secret{c}, header: make(http.Header)}, r, v)
}

// answering is a reply of either kind.
type answering interface {
	http.ResponseWriter
	finish(now time.Time)
	drop()
}

// answer has the handler answer r.
func (d *door) answer(a answering, r *http.Request, v *visitor) {
	r.RemoteAddr = v.client.String()
	defer func() {
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			d.l.log.Error("client port: handler panicked", elog.Any("panic", p), elog.String("stack", string(debug.Stack())))
		}
		a.drop()
	}()
	d.handler.ServeHTTP(a, r)
	a.finish(time.Now())
}

// pass makes v a connection for net/http, which begins with what was read.
func (d *door) pass(v *visitor, early []byte) {
	if c, err := v.conn(early); err == nil {
		c.due = v.due
		d.give(d.l.over(c))
	}
}

// give gives a connection to net/http.
func (d *door) give(c net.Conn) {
	select {
	case d.rest <- c:
	case <-d.l.stop:
		_ = c.Close() // nobody serves it any more
	}
}

// secret is where a reply over TLS goes.
type secret struct{ *tls.Conn }

func (s secret) hijack() (net.Conn, error) { return s.Conn, nil }

func (s secret) send(b []byte) { _, _ = s.Write(b) } // who does not take it has left

func (s secret) close() { _ = s.Close() } // as it was not taken
