package mesh

import (
	"fmt"
	"net/http"
	"time"

	meshv1 "sluice/pkg/proto/mesh/v1"
)

// recorder keeps the response to a forwarded request until it is complete.
type recorder struct {
	header http.Header
	max    int // bytes of body

	status int
	sent   http.Header // header as it was when the status was set
	body   []byte
	err    error // set when the body became too large
}

func newRecorder(limit int) *recorder { return &recorder{header: make(http.Header), max: limit} }

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational statuses are not
// passed on.
func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.sent = w.header.Clone()
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.err == nil && len(w.body)+len(b) > w.max {
		w.err = fmt.Errorf("forwarded response: %w", ErrTooLarge)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.body = append(w.body, b...)
	return len(b), nil
}

// SetReadDeadline is for http.ResponseController: the request has been read.
func (w *recorder) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for http.ResponseController: the writing is the caller's.
func (w *recorder) SetWriteDeadline(time.Time) error { return nil }

// finish ends the response like net/http ends one that a handler left empty.
func (w *recorder) finish() { w.WriteHeader(http.StatusOK) }

func (w *recorder) response() *meshv1.ForwardResponse {
	w.finish()
	return &meshv1.ForwardResponse{
		Status:  uint32(w.status),
		Headers: endToEnd(w.sent, false),
		Body:    w.body,
	}
}
