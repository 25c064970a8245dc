package edge

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"time"
)

// reply is the answer to a request that net/http has not seen. It is sent when
// the handler has returned, and ends the connection, unless the handler has
// taken that.
type reply struct {
	from   giver // nil once taken
	header http.Header
	status int
	body   []byte
}

// giver is a connection that a reply goes to.
type giver interface {
	hijack() (net.Conn, error)
	send(b []byte)
	close()
}

// bareReply is a reply over nothing but a descriptor.
type bareReply struct{ reply }

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
	if a.from == nil {
		return 0, http.ErrHijacked
	}
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// TakeSocket gives the connection away as its bare descriptor, which does not
// block and which nobody else watches; the owner calls closed when it has closed
// it. It saves what it takes to make a net.Conn. It is -1 when it is gone.
func (a *bareReply) TakeSocket() (fd int, closed func()) {
	v, ok := a.from.(*visitor)
	if !ok {
		return -1, nil
	}
	a.from = nil
	return v.take()
}

// Hijack implements http.Hijacker. Its buffers are small: nothing is in them, and
// whoever takes a connection has others.
func (a *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	from := a.from
	if from == nil {
		return nil, nil, http.ErrHijacked
	}
	a.from = nil
	conn, err := from.hijack()
	if err != nil {
		return nil, nil, err
	}
	return conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, 16), bufio.NewWriterSize(conn, 16)), nil
}

// drop ends a connection that has not been taken.
func (a *reply) drop() {
	if a.from != nil {
		a.from.close()
	}
}

// finish sends the answer as net/http would have, in one write: a new connection
// takes more than that.
func (a *reply) finish(now time.Time) {
	if a.from == nil {
		return
	}
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
	a.from.send(b.Bytes())
}
