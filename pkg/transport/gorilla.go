package transport

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// This is the only file that knows the WebSocket library. It is used for reading;
// the handshake is answered and frames are written by ourselves.

type wsConn = *websocket.Conn

// upgrader and inflater make the library's connections, of which every seat has
// one. What they negotiate is without context takeover: nothing is kept between
// messages.
var (
	upgrader = websocket.Upgrader{
		CheckOrigin:     func(*http.Request) bool { return true },
		WriteBufferPool: noBuffers{},
		WriteBufferSize: 1,
	}
	inflater = websocket.Upgrader{
		CheckOrigin:       upgrader.CheckOrigin,
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

// rehearsal is the request that the library takes a seat's connection from. The
// answer to the real one has been written by then, by takeOver.
var rehearsal = &http.Request{
	Method: http.MethodGet,
	Header: http.Header{
		"Connection":               {"Upgrade"},
		"Upgrade":                  {"websocket"},
		"Sec-Websocket-Version":    {"13"},
		"Sec-Websocket-Key":        {"AAAAAAAAAAAAAAAAAAAAAA=="},
		"Sec-Websocket-Extensions": {"permessage-deflate"}, // for inflater
	},
}

// newSeat makes a seat. The library does not fail with a request of our own.
func newSeat(with *websocket.Upgrader) *seat {
	t := &seat{br: readers.Get().(*bufio.Reader)}
	ws, err := with.Upgrade(stage{t}, rehearsal, nil)
	if err != nil {
		panic("transport: " + err.Error())
	}
	t.ws = ws
	return t
}

// stage gives the library a seat in place of a connection.
type stage struct{ seat *seat }

func (stage) Header() http.Header         { return nil }
func (stage) Write(p []byte) (int, error) { return len(p), nil }
func (stage) WriteHeader(int)             {}

// Hijack implements http.Hijacker.
func (g stage) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	// The library writes its answer into this writer's buffer.
	return g.seat, bufio.NewReadWriter(g.seat.br, bufio.NewWriterSize(g.seat, 256)), nil
}

// What is wrong with a compressed message.
var (
	errInflated = errors.New("transport: message too large when inflated")
	errDeflate  = errors.New("transport: malformed compression")
)

// next reads a message into buf, which it may replace by a larger one. It
// grows with what has come, not with what was announced, and no further than a
// message may be.
func (t *seat) next(buf []byte) (data []byte, binary bool, err error) {
	kind, r, err := t.ws.NextReader()
	if err != nil {
		return buf[:0], false, err
	}
	data = buf[:0]
	most := t.link.mostInflated()
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
