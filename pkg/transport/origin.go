package transport

import (
	"net/http"
	"strconv"
	"strings"

	"sluice/pkg/reason"
)

// origins decides which pages may use the server, and what browsers are told
// about it. Browsers send Origin with every request that matters here; what
// comes without one does not come from a page of somebody else's.
type origins struct {
	any   bool
	exact map[string]bool // empty: only the host that the request went to

	cors        bool
	credentials bool
	headers     string
	maxAge      string
}

func newOrigins(cfg *Config) origins {
	o := origins{exact: make(map[string]bool), cors: cfg.CORS, credentials: cfg.CORSCredentials,
		headers: strings.Join(cfg.CORSHeaders, ",")}
	for _, origin := range cfg.Origins {
		o.any = o.any || origin == "*"
		o.exact[origin] = true
	}
	if cfg.CORSMaxAge > 0 {
		o.maxAge = strconv.FormatInt(int64(cfg.CORSMaxAge.Seconds()), 10)
	}
	return o
}

// allow tells whether the page that a request comes from may use the server.
// More than one Origin is none that a browser would send.
func (o *origins) allow(r *http.Request) bool {
	sent := r.Header["Origin"]
	switch {
	case len(sent) == 0:
		return true
	case len(sent) > 1:
		return false
	case o.any || o.exact[sent[0]]:
		return true
	case len(o.exact) > 0:
		return false
	}
	_, host, ok := strings.Cut(sent[0], "://")
	return ok && host != "" && strings.EqualFold(host, r.Host)
}

// header adds what lets scripts of an allowed page read the answer. It comes
// before everything else, as errors are read, too.
func (o *origins) header(w http.ResponseWriter, r *http.Request, allowed bool) {
	if !o.cors {
		return
	}
	h := w.Header()
	origin := r.Header["Origin"]
	switch {
	case o.any && !o.credentials:
		h["Access-Control-Allow-Origin"] = anyOrigin
		return
	case allowed && len(origin) > 0:
		h["Access-Control-Allow-Origin"] = origin
	}
	vary(h, "Origin")
	if o.credentials {
		h["Access-Control-Allow-Credentials"] = yes
	}
}

// preflight answers what a browser asks before it lets a page send. One that is
// not allowed learns it from what is missing in the answer.
func (o *origins) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
	if o.headers != "" {
		h.Set("Access-Control-Allow-Headers", o.headers)
	} else {
		vary(h, "Access-Control-Request-Headers")
		if asked := r.Header["Access-Control-Request-Headers"]; len(asked) > 0 {
			h["Access-Control-Allow-Headers"] = asked
		}
	}
	if o.maxAge != "" {
		h.Set("Access-Control-Max-Age", o.maxAge)
	}
	w.WriteHeader(http.StatusNoContent)
}

var (
	anyOrigin = []string{"*"}
	yes       = []string{"true"}
)

var forbidden = Refuse(reason.Origin)
