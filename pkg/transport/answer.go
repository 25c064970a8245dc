package transport

import (
	"net/http"
	"strconv"
	"time"

	"sluice/pkg/engineio"
	"sluice/pkg/reason"
)

// Header values, shared by all answers: http never changes them.
var (
	typeJSON    = []string{"application/json"}
	typePlain   = []string{"text/plain; charset=UTF-8"}
	typeOctets  = []string{"application/octet-stream"}
	typeHTML    = []string{"text/html"}
	neverStored = []string{"no-store"}
	lengthZero  = []string{"0"}
	lengthTwo   = []string{"2"}
	closing     = []string{"close"}
)

var okBody = []byte("ok")

// refuse answers with an Engine.IO error: JSON, or the bare text to a request
// for a WebSocket.
func refuse(w http.ResponseWriter, c engineio.Code, upgrade bool) {
	if upgrade {
		refuseUpgrade(w, c.String())
		return
	}
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(http.StatusBadRequest)
	w.Write(c.Body())
}

// refuseUpgrade answers a request for a WebSocket.
func refuseUpgrade(w http.ResponseWriter, message string) {
	h := w.Header()
	h["Content-Type"], h["Connection"] = typeHTML, closing
	w.WriteHeader(http.StatusBadRequest)
	w.Write([]byte(message))
}

// answer tells the client why it was not let in.
func (f *Refusal) answer(w http.ResponseWriter, upgrade bool) {
	status, code, message := f.Status, engineio.Code(f.Code), f.Message
	if status == 0 {
		status = http.StatusForbidden
	}
	if code <= 0 || code > engineio.UnsupportedVersion {
		code = engineio.Forbidden
	}
	if message == "" {
		message = code.String()
	}
	h := w.Header()
	if f.RetryAfter > 0 {
		seconds := (f.RetryAfter + time.Second - 1) / time.Second
		h["Retry-After"] = []string{strconv.FormatInt(int64(seconds), 10)}
	}
	if upgrade {
		refuseUpgrade(w, message)
		return
	}
	h["Content-Type"] = typeJSON
	w.WriteHeader(status)
	w.Write(engineio.AppendError(nil, code, message))
}

// label is the refusal in the metrics.
func (f *Refusal) label() string {
	if f.Reason == "" {
		return string(reason.Forbidden)
	}
	return string(f.Reason)
}

// empty answers with a status and nothing else.
func empty(w http.ResponseWriter, status int) {
	w.Header()["Content-Length"] = lengthZero
	w.WriteHeader(status)
}

// posted answers a POST that has been taken.
func posted(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Content-Length"], h["Cache-Control"] = typeHTML, lengthTwo, neverStored
	w.Write(okBody)
}
