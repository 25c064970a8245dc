package edge

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// reply is the answer to a request that net/http has not seen. It is sent when
// the handler has returned, and ends the connection, unless the handler has
// taken that.
type reply struct {
	visitor *visitor // nil once taken
	header  http.Header
	status  int
	body    []byte
}

// Header implements http.ResponseWriter.
func (a *reply) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *reply) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *reply) Write(p []byte) (int, error) {
	if a.visitor == nil {
		return 0, http.ErrHijacked
	}
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// TakeSocket gives the connection away as its bare descriptor, which does not
// block and which nobody else watches; the owner calls closed when it has closed
// it. It saves what it takes to make a net.Conn. It is -1 when it is gone.
func (a *reply) TakeSocket() (fd int, closed func()) {
	v := a.visitor
	if v == nil {
		return -1, nil
	}
	a.visitor = nil
	return v.take()
}

// Hijack implements http.Hijacker.
func (a *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	v := a.visitor
	if v == nil {
		return nil, nil, http.ErrHijacked
	}
	a.visitor = nil
	conn, err := v.conn(nil)
	if err != nil {
		return nil, nil, err
	}
	conn.due = time.Time{} // the header has come
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

// send sends the answer as net/http would have, in one write: a new connection
// takes more than that.
func (a *reply) send(now time.Time) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	h := a.header
	h["Connection"] = []string{"close"}
	h["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	if len(h["Content-Type"]) == 0 && len(a.body) > 0 {
		h["Content-Type"] = []string{http.DetectContentType(a.body)}
	}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(a.status) + " " + http.StatusText(a.status) + "\r\n")
	_ = h.Write(&b) // a buffer takes all
	b.WriteString("\r\n")
	b.Write(a.body)
	_, _ = syscall.Write(a.visitor.fd, b.Bytes()) // who does not take it has left
}
