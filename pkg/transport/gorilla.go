package transport

import (
	"bufio"
	"compress/flate"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// This is the only file that knows the WebSocket library. It is used for the
// handshake and for reading; frames are written by the link itself.

type wsConn = *websocket.Conn

// upgrader and deflating neither check the origin nor answer by themselves, as
// both have been done. What deflating negotiates is without context takeover:
// nothing is kept between messages.
var (
	upgrader = websocket.Upgrader{
		CheckOrigin:     func(*http.Request) bool { return true },
		Error:           func(http.ResponseWriter, *http.Request, int, error) {},
		WriteBufferPool: noBuffers{},
		WriteBufferSize: 1,
	}
	deflating = websocket.Upgrader{
		CheckOrigin:       upgrader.CheckOrigin,
		Error:             upgrader.Error,
		WriteBufferPool:   upgrader.WriteBufferPool,
		WriteBufferSize:   upgrader.WriteBufferSize,
		EnableCompression: true,
	}
)

// noBuffers stands for a pool, so that the library keeps no write buffer.
type noBuffers struct{}

func (noBuffers) Get() any { return nil }
func (noBuffers) Put(any)  {}

// isUpgrade tells whether a request asks for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 && websocket.IsWebSocketUpgrade(r)
}

// upgradeProblem tells what is missing in the handshake of such a request, in
// the words of the reference, so that it can be refused while HTTP can still
// say so.
func upgradeProblem(r *http.Request) string {
	key := r.Header["Sec-Websocket-Key"]
	version := r.Header["Sec-Websocket-Version"]
	switch {
	case r.Method != http.MethodGet || r.ProtoMajor != 1:
		return "Invalid HTTP method"
	case len(key) != 1 || !validKey(key[0]):
		return "Missing or invalid Sec-WebSocket-Key header"
	case len(version) != 1 || version[0] != "13":
		return "Missing or invalid Sec-WebSocket-Version header"
	}
	return ""
}

// validKey tells whether s is 16 bytes in base64.
func validKey(s string) bool {
	var raw [18]byte
	if len(s) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Decode(raw[:], []byte(s))
	return err == nil && n == 16
}

// acceptProtocol takes the first subprotocol that a client names, as the
// reference does: a browser that named one drops a connection without.
func acceptProtocol(w http.ResponseWriter, r *http.Request) {
	if len(r.Header["Sec-Websocket-Protocol"]) == 0 {
		return
	}
	if p := websocket.Subprotocols(r); len(p) > 0 && isToken(p[0]) {
		w.Header()["Sec-Websocket-Protocol"] = p[:1]
	}
}

// takeOver makes a link of a request's connection. The answer to the handshake
// is in its queue and leaves with what follows it, at link.begin. When it fails
// the connection is either closed or still the HTTP server's.
func takeOver(s *Session, w http.ResponseWriter, r *http.Request) (*link, error) {
	h := hijacker{w: w, s: s}
	s.srv.origins.header(w, r, true)
	acceptProtocol(w, r)
	deflate := s.deflates(r)
	with := &upgrader
	if deflate {
		with = &deflating
	}
	ws, err := with.Upgrade(&h, r, w.Header())
	if err != nil {
		if h.link != nil {
			h.link.handBack()
			h.link.kill()
			h.link.begin()
		}
		return nil, err
	}
	ws.SetReadLimit(int64(s.srv.cfg.MaxPayload))
	h.link.ws, h.link.deflate = ws, deflate
	h.link.handBack()
	return h.link, nil
}

// hijacker gives the library a link in place of the connection, and buffers
// that are not those of the HTTP server, so that nothing of the request stays
// reachable.
type hijacker struct {
	w    http.ResponseWriter
	s    *Session
	link *link
}

func (h *hijacker) Header() http.Header         { return h.w.Header() }
func (h *hijacker) Write(p []byte) (int, error) { return h.w.Write(p) }
func (h *hijacker) WriteHeader(int)             {}

var errEarlyData = errors.New("transport: data before the end of the handshake")

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if rw != nil && rw.Reader.Buffered() > 0 {
		conn.Close()
		return nil, nil, errEarlyData
	}
	if h.link, err = newLink(h.s, conn); err != nil {
		conn.Close()
		return nil, nil, err
	}
	h.link.borrow()
	// The library writes its answer into this writer's buffer.
	return h.link, bufio.NewReadWriter(&h.link.br, bufio.NewWriterSize(h.link, 256)), nil
}

// What is wrong with a compressed message.
var (
	errInflated = errors.New("transport: message too large when inflated")
	errDeflate  = errors.New("transport: malformed compression")
)

// next reads a message into buf, which it may replace by a larger one. It
// grows with what has come, not with what was announced, and no further than a
// message may be.
func (l *link) next(buf []byte) (data []byte, binary bool, err error) {
	kind, r, err := l.ws.NextReader()
	if err != nil {
		return buf[:0], false, err
	}
	data = buf[:0]
	most := l.mostInflated()
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case most > 0 && len(data) > most:
			return data, false, errInflated
		case err == io.EOF:
			return data, kind == websocket.BinaryMessage, nil
		case err != nil:
			return data, false, inflateError(err)
		}
	}
}

// inflateError tells the errors of decompression from the others. The library
// does not answer them.
func inflateError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDeflate
	}
	return err
}

// why says what an error of the reader means: the reason to close the session,
// the code of the close frame that is still to be sent (0: none), and whether
// the client may still be sending, so that the connection must be drained for
// it to see that frame.
func why(err error) (reason Reason, code int, drain bool) {
	var closed *websocket.CloseError
	switch {
	case errors.Is(err, errFragments), errors.Is(err, errControls):
		return ReasonFlood, closePolicy, true
	case errors.Is(err, errFraming):
		return ReasonTransportError, closeProtocol, true
	case errors.Is(err, errInflated):
		return ReasonTooLarge, closeTooLarge, true
	case errors.Is(err, errDeflate):
		return ReasonTransportError, closeText, true
	case errors.Is(err, websocket.ErrReadLimit):
		return ReasonTooLarge, 0, true
	case errors.As(err, &closed):
		if closed.Code == websocket.CloseAbnormalClosure {
			return ReasonTransportClose, 0, false
		}
		return ReasonClientClose, 0, false
	case isConnectionError(err):
		return ReasonTransportClose, 0, false
	}
	return ReasonTransportError, 0, true // the library has sent 1002
}

// isConnectionError tells errors of the connection from those of the library,
// which are about what came over it.
func isConnectionError(err error) bool {
	var e net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.As(err, &e)
}
