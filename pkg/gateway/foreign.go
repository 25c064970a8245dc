package gateway

import (
	"bytes"
	"net/http"
	"time"

	"sluice/pkg/engineio"
	"sluice/pkg/id"
)

// foreign serves a request of a session that is not here: on the replica that
// the sid names, unless that is this one, or the request was forwarded once. Who
// keeps asking for sessions that do not exist there either is not passed on any
// more.
func (g *Gateway) foreign(w http.ResponseWriter, r *http.Request, sid uint64) bool {
	owner := id.Socket(sid).Replica()
	if owner == g.deps.Replica || g.forwarded(r) {
		return false
	}
	addr := addrOf(r.RemoteAddr)
	if g.admission.unknown.Spent(addr) {
		return false
	}
	a := passedOn{ResponseWriter: w, within: g.writeTimeout}
	served := g.deps.Mesh.Forward(&a, r, owner) == nil
	if a.unknown {
		g.admission.unknown.Ask(addr)
	}
	return served
}

// passedOn is the answer of another gateway on its way to the client: it looks
// whether the session was unknown there, too, and bounds how long the client may
// take for it.
type passedOn struct {
	http.ResponseWriter
	within  time.Duration
	status  int
	unknown bool
}

// WriteHeader implements http.ResponseWriter.
func (a *passedOn) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *passedOn) Write(p []byte) (int, error) {
	if a.status == http.StatusBadRequest && bytes.Equal(p, engineio.SessionUnknown.Body()) {
		a.unknown = true
	}
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(a.within)) // a tunnelled request has none
	return a.ResponseWriter.Write(p)
}

// Tunnelled is told the first bytes of the answer to an upgrade, which does not
// come through Write.
func (a *passedOn) Tunnelled(first []byte) {
	if bytes.HasPrefix(first, []byte("HTTP/1.1 400 ")) && bytes.HasSuffix(first, []byte(engineio.SessionUnknown.String())) {
		a.unknown = true
	}
}

// Unwrap is for http.ResponseController.
func (a *passedOn) Unwrap() http.ResponseWriter { return a.ResponseWriter }
