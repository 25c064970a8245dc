package transport

import (
	"net/http"
	"strings"

	"sluice/pkg/engineio"
	"sluice/pkg/reason"
)

// ServeHTTP answers every Engine.IO request. For a WebSocket it returns as soon
// as the connection is taken over.
func (v *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		v.boundBody(w)
	}
	if !v.onPath(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	allowed := v.origins.allow(r)
	if r.Method == http.MethodOptions && v.origins.cors {
		v.origins.header(w, r, allowed)
		v.origins.preflight(w, r)
		return
	}
	q := engineio.ParseQuery(r.URL.RawQuery)
	code := v.rules.Transport(&q)
	if v.cfg.MaxURL > 0 && len(r.RequestURI) > v.cfg.MaxURL {
		code = engineio.BadRequest
	}
	var s *Session
	if code == engineio.OK && q.SID != "" {
		var served bool
		if s, served = v.lookUp(w, r, q.SID, allowed); served {
			return
		}
		if s != nil && s.overdue() {
			s.close(ReasonPingTimeout, gently)
			s = nil
		}
		if s == nil {
			code = engineio.SessionUnknown
		}
	}
	upgrade := isUpgrade(r)
	if !upgrade { // or when it succeeds
		v.origins.header(w, r, allowed)
	}
	switch {
	case code == engineio.SessionUnknown:
		v.unknown(w, r, upgrade)
	case code != engineio.OK:
		v.refuse(w, code, upgrade)
	case s == nil:
		v.handshake(w, r, &q, upgrade, allowed)
	default:
		v.follow(w, r, s, &q, upgrade, allowed)
	}
}

// onPath tells whether a path is ours, with or without the slash at its end.
func (v *Server) onPath(path string) bool {
	rest, ours := strings.CutPrefix(path, v.path)
	return v.cfg.Path == "" || ours && (rest == "" || rest == "/")
}

// lookUp finds the session of a sid. served: it lives elsewhere, and the
// request has been answered from there, headers and all.
func (v *Server) lookUp(w http.ResponseWriter, r *http.Request, sid string, allowed bool) (s *Session, served bool) {
	id, key, ok := parseSID(sid)
	if !ok {
		return nil, false
	}
	s, known := v.find(id, &key)
	if s != nil || known || !allowed || v.hooks.Foreign == nil {
		return s, false
	}
	return nil, v.hooks.Foreign(w, r, id)
}

// unknown answers a request for a session that does not exist, of which there
// may be floods: it allocates nothing.
func (v *Server) unknown(w http.ResponseWriter, r *http.Request, upgrade bool) {
	if v.hooks.Unknown != nil {
		if refusal := v.hooks.Unknown(r); refusal != nil {
			v.metrics.refusals.WithLabelValues(refusal.label()).Inc()
			refusal.answer(w, upgrade)
			return
		}
	}
	v.refuse(w, engineio.SessionUnknown, upgrade)
}

// follow serves a request that names a session.
func (v *Server) follow(w http.ResponseWriter, r *http.Request, s *Session, q *engineio.Query, upgrade, allowed bool) {
	if refusal := v.mayFollow(r, s, allowed); refusal != nil {
		v.metrics.refusals.WithLabelValues(refusal.label()).Inc()
		refusal.answer(w, upgrade)
		return
	}
	switch {
	case upgrade:
		v.upgrade(w, r, s, q)
	case r.Method == http.MethodGet:
		s.get(w, r, q)
	case r.Method == http.MethodPost:
		s.post(w, r, q)
	default:
		v.refuse(w, engineio.BadRequest, false)
	}
}

func (v *Server) mayFollow(r *http.Request, s *Session, allowed bool) *Refusal {
	if !allowed {
		return forbidden
	}
	if v.hooks.Follow == nil {
		return nil
	}
	return v.hooks.Follow(s, r)
}

// codeReasons are the Engine.IO errors as reasons, the labels of metrics.
var codeReasons = [...]Reason{
	engineio.TransportUnknown:   reason.TransportUnknown,
	engineio.SessionUnknown:     reason.SessionUnknown,
	engineio.BadHandshakeMethod: reason.BadHandshakeMethod,
	engineio.BadRequest:         reason.BadRequest,
	engineio.Forbidden:          reason.Forbidden,
	engineio.UnsupportedVersion: reason.UnsupportedVersion,
}

// refuse answers with an error and counts it.
func (v *Server) refuse(w http.ResponseWriter, c engineio.Code, upgrade bool) {
	v.metrics.refusals.WithLabelValues(string(codeReasons[c])).Inc()
	refuse(w, c, upgrade)
}
