package transport

import (
	"errors"
	"io"
	"net/http"
	"time"

	"sluice/pkg/engineio"
)

// post serves what the client of a polled session sends.
func (s *Session) post(w http.ResponseWriter, r *http.Request, q *engineio.Query) {
	octets := r.Header.Get("Content-Type") == typeOctets[0]
	code, end := s.beginPost(q, octets)
	switch {
	case code != engineio.OK:
		s.srv.refuse(w, code, false)
		return
	case end != "":
		s.close(end, gently)
		empty(w, http.StatusBadRequest)
		return
	}
	buf := messagePool.Get().(*[]byte)
	err := s.readBody(w, r, buf)
	if err == nil {
		s.heard()
		s.deliver(*buf, q, octets)
	}
	recycle(buf)
	s.endPost()

	switch {
	case err == nil:
		posted(w)
	case errors.Is(err, errTooLarge):
		s.srv.metrics.refusals.WithLabelValues(string(ReasonTooLarge)).Inc()
		w.Header()["Connection"] = closing // the rest of it is not read
		empty(w, http.StatusRequestEntityTooLarge)
	default:
		s.close(ReasonTransportClose, gently)
		empty(w, http.StatusBadRequest)
	}
}

// beginPost checks that a POST may be taken; end is why the session has to be
// closed instead.
func (s *Session) beginPost(q *engineio.Query, octets bool) (code engineio.Code, end Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Closed() {
		return engineio.SessionUnknown, ""
	}
	if code = s.state.Request(q, false); code != engineio.OK {
		return code, ""
	}
	if octets && s.version() != engineio.V3 {
		return engineio.OK, ReasonParse
	}
	if !s.state.BeginPost() {
		return engineio.OK, ReasonOverlap
	}
	return engineio.OK, ""
}

func (s *Session) endPost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.EndPost()
}

var errTooLarge = errors.New("transport: body too large")

// readBody reads a body into buf, which grows with what has come, not with what
// was announced.
func (s *Session) readBody(w http.ResponseWriter, r *http.Request, buf *[]byte) error {
	limit := s.srv.cfg.MaxPayload
	if r.ContentLength > int64(limit) {
		return errTooLarge
	}
	data := (*buf)[:0]
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		*buf = data
		switch {
		case len(data) > limit:
			return errTooLarge
		case err == io.EOF:
			http.NewResponseController(w).SetReadDeadline(time.Time{}) // it was for the body
			return nil
		case err != nil:
			return err
		}
	}
}

// boundBody gives a request's body its time, whoever reads it: what the handler
// leaves of it net/http reads behind the answer, and would wait for without end.
func (v *Server) boundBody(w http.ResponseWriter) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(v.cfg.PostTimeout)) // or w is not of a connection
}

// deliver takes the packets of a body until one is wrong. The POST is answered
// all the same; the client learns of it from its poll.
func (s *Session) deliver(body []byte, q *engineio.Query, octets bool) {
	if q.JSONP {
		body, _ = engineio.DecodeJSONP(body) // nothing is malformed, too
	}
	packets := engineio.NewPayload(body, engineio.FormOf(s.version(), octets))
	for n := 0; ; n++ {
		pkt, err := packets.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || n == s.srv.cfg.MaxPackets {
			s.close(ReasonParse, gently)
			return
		}
		s.hot().in.Add(1)
		s.receive(pkt)
	}
}
