package transport

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"sluice/pkg/engineio"
)

// get serves a poll: it waits until there is something to send, which is a
// heartbeat at the latest.
func (s *Session) get(w http.ResponseWriter, r *http.Request, q *engineio.Query) {
	s.mu.Lock()
	if s.state.Closed() {
		s.lastPoll(w, r, q)
		return
	}
	if code := s.state.Request(q, false); code != engineio.OK {
		s.mu.Unlock()
		s.srv.refuse(w, code, false)
		return
	}
	if !s.state.BeginPoll() {
		s.mu.Unlock()
		s.close(ReasonOverlap, gently)
		empty(w, http.StatusBadRequest)
		return
	}
	phase := s.phaseLocked()
	p := phase.poll
	var wake chan struct{}
	if len(p.queue) == 0 && !phase.fading {
		wake = make(chan struct{})
		p.wake = wake
	}
	s.mu.Unlock()

	if wake != nil {
		select {
		case <-wake:
		case <-r.Context().Done():
		}
	}
	s.answerPoll(w, r, q, p)
}

// answerPoll settles a GET with what there is for it.
func (s *Session) answerPoll(w http.ResponseWriter, r *http.Request, q *engineio.Query, p *poller) {
	aborted := r.Context().Err() != nil
	s.mu.Lock()
	p.wake = nil
	phase := s.phaseLocked()
	last := phase.fading && len(p.queue) == 0
	frames := s.takeLocked(p)
	s.state.EndPoll()
	s.mu.Unlock()

	if !aborted && s.srv.respond(w, r, q, s.version(), frames) != nil {
		aborted = true
	}
	switch {
	case !s.polledBy(p): // it has moved to a WebSocket
	case aborted:
		s.close(ReasonTransportClose, harshly)
	case last:
		s.close(phase.reason, harshly) // the answer was the close packet
	}
}

// polledBy tells that p is still what carries the session.
func (s *Session) polledBy(p *poller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phaseLocked().poll == p
}

// lastPoll tells the client of a closed session. It unlocks.
func (s *Session) lastPoll(w http.ResponseWriter, r *http.Request, q *engineio.Query) {
	p := s.phaseLocked().poll
	if p == nil || p.last == nil || s.state.Polled() {
		s.mu.Unlock()
		s.srv.refuse(w, engineio.SessionUnknown, false)
		return
	}
	frames := s.takeLocked(p)
	s.mu.Unlock()
	s.srv.remove(s, false)
	s.srv.respond(w, r, q, s.version(), frames)
}

// respond answers a GET with frames as one payload.
func (v *Server) respond(w http.ResponseWriter, r *http.Request, q *engineio.Query, e engineio.Version, frames []*Frame) error {
	shape := pollV4
	kind := typePlain
	if e == engineio.V3 {
		shape = pollV3
		if !q.B64 && !q.JSONP && anyBinary(frames) {
			shape, kind = pollV3Octets, typeOctets
		}
	}
	buf := messagePool.Get().(*[]byte)
	defer recycle(buf)
	body := frames[0].wire(shape)
	if len(frames) > 1 {
		*buf = appendPayload((*buf)[:0], frames, shape)
		body = *buf
	}
	if q.JSONP {
		body = engineio.AppendJSONP(nil, q.J, body)
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = kind, neverStored
	if v.cfg.CompressPolls > 0 && len(body) >= v.cfg.CompressPolls {
		vary(h, "Accept-Encoding")
		if e := encodingFor(r); e != identity {
			h["Content-Encoding"] = encodingNames[e]
			if e == gzipped && len(frames) == 1 && !q.JSONP {
				body = frames[0].wire(shape + gzipForms) // once for all that poll it
			} else {
				body = appendEncoded(make([]byte, 0, len(body)/4+64), body, e)
			}
		}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	return v.writeBody(w, body)
}

func anyBinary(frames []*Frame) bool {
	for _, f := range frames {
		if f.hasBinary() {
			return true
		}
	}
	return false
}

// appendPayload joins the shared forms of frames.
func appendPayload(dst []byte, frames []*Frame, shape form) []byte {
	for i, f := range frames {
		if i > 0 && shape == pollV4 {
			dst = append(dst, engineio.Separator)
		}
		dst = append(dst, f.wire(shape)...)
	}
	return dst
}

// writeBody writes a whole answer within the write timeout, as the HTTP server
// cannot have one for requests that wait.
func (v *Server) writeBody(w http.ResponseWriter, body []byte) error {
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Now().Add(v.cfg.WriteTimeout))
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := rc.Flush(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	rc.SetWriteDeadline(time.Time{})
	return nil
}
