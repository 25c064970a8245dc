package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip" // so that this server, too, could inflate
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"sluice/pkg/bus"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// rude is an HTTP/2 client that keeps to no limit that it is told.
type rude struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	next   uint32 // stream
}

func (w *world) rude(t *testing.T) *rude {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience)) // a TCP connection takes deadlines
	r := &rude{t: t, conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := r.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return r
}

// open sends the headers of a call, with one more header of a size.
func (r *rude) open(method string, extra int) (stream uint32, err error) {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "api"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {metaComponent, "docs"}, {metaToken, token},
		{"x-extra", strings.Repeat("~", extra)},
	} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return 0, err
		}
	}
	stream = r.next
	r.next += 2
	const most = 16 << 10
	first := block.Next(most)
	err = r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndHeaders: block.Len() == 0})
	for err == nil && block.Len() > 0 {
		part := block.Next(most)
		err = r.framer.WriteContinuation(stream, block.Len() == 0, part)
	}
	return stream, err
}

// send writes a message and ends the stream.
func (r *rude) send(stream uint32, m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return r.framer.WriteData(stream, true, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(b))), b...))
}

// until reads frames until one is wanted, and fails when the connection ends before.
func (r *rude) until(what string, wanted func(http2.Frame) bool) {
	r.t.Helper()
	for {
		f, err := r.framer.ReadFrame()
		if err != nil {
			r.t.Fatalf("%s: %v", what, err)
		}
		if wanted(f) {
			return
		}
	}
}

// heaviest runs f and returns by how much the heap grew meanwhile, at most.
func heaviest(f func()) uint64 {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	end, ended := make(chan struct{}), make(chan struct{})
	var most atomic.Uint64
	go func() {
		defer close(ended)
		for {
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapAlloc))
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(end)
	<-ended
	return most.Load() - min(most.Load(), before.HeapAlloc)
}

func TestACompressedMessageIsBoundedByWhatItInflatesTo(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.deps.Producer = &failing{outcome: func(int) (error, error) { return nil, nil }}
	})
	limit := w.cfg.Server.MaxMessage
	for _, tc := range []struct {
		name string
		size int
		want codes.Code
	}{
		{"within", limit / 8, codes.OK},
		{"above", limit + 1, codes.ResourceExhausted},
		{"a bomb", 25 * limit, codes.ResourceExhausted}, // 100 MB from 100 KB
	} {
		req := pushTo("doc-1", "e", `["`+strings.Repeat("x", tc.size)+`"]`)
		var err error
		// Without a deadline: compressing a bomb takes a slow machine a while.
		ctx := metadata.AppendToOutgoingContext(t.Context(), metaComponent, "docs", metaToken, token)
		grew := heaviest(func() { _, err = w.client.Push(ctx, req, grpc.UseCompressor(gzip.Name)) })
		if status.Code(err) != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
		// The client of this process marshals the message, which is not the server's.
		if most := uint64(3*tc.size + 8*limit); grew > most {
			t.Errorf("%s: the heap grew by %d MB", tc.name, grew>>20)
		}
	}
}

func TestOneConnectionHasABoundedNumberOfCalls(t *testing.T) {
	const limit = 10
	for opened, refused := range map[int]bool{limit: false, limit + 1: true, 100 * limit: true} {
		w := newWorld(t, func(w *world) { // none of them ends by itself
			w.cfg.Server.MaxStreams, w.cfg.Subscribe.StartTimeout = limit, patience
		})
		r := w.rude(t)
		go func() {
			for range opened {
				if _, err := r.open(sluicev1.Sluice_Subscribe_FullMethodName, 0); err != nil {
					return // the server may have had enough
				}
			}
			_ = r.framer.WritePing(false, [8]byte{1}) // it is answered behind the streams
		}()
		reset := 0
		r.until("the ping's answer", func(f http2.Frame) bool {
			if rst, ok := f.(*http2.RSTStreamFrame); ok && rst.ErrCode == http2.ErrCodeRefusedStream {
				reset++
			}
			ping, ok := f.(*http2.PingFrame)
			return ok && ping.IsAck()
		})
		want := 0
		if refused {
			want = opened - limit
		}
		if reset != want {
			t.Errorf("of %d calls %d are refused, want %d", opened, reset, want)
		}
		_ = r.conn.Close() // the next world is another one
	}
}

// TestRapidResetsStartNoWorkBeyondTheLimit opens calls and resets them at once:
// a reset call is no longer open, and its handler may still run.
func TestRapidResetsStartNoWorkBeyondTheLimit(t *testing.T) {
	const limit = 8
	var running, most atomic.Int64
	release := make(chan struct{})
	w := newWorld(t, func(w *world) {
		w.cfg.Server.MaxStreams = limit
		w.deps.Producer = producerFunc(func(_ bus.Record, done func(error)) error {
			now := running.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			<-release // a handler that does not notice the reset
			running.Add(-1)
			go done(nil)
			return nil
		})
	})
	r := w.rude(t)
	sent := make(chan int, 1)
	go func() {
		n := 0
		defer func() { sent <- n }()
		for ; n < 100*limit; n++ {
			stream, err := r.open(sluicev1.Sluice_Push_FullMethodName, 0)
			if err == nil {
				err = r.send(stream, pushTo("doc-1", "e", "[]"))
			}
			if err == nil && n > limit { // the first ones reach their handlers
				err = r.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
			}
			if err != nil {
				return
			}
		}
	}()
	eventually(t, "the handlers that may run", func() bool { return running.Load() >= limit })
	time.Sleep(50 * time.Millisecond) // for those that may not
	if got := most.Load(); got > limit {
		t.Errorf("%d handlers ran at once, %d calls may be open", got, limit)
	}
	if w.other(t) != nil {
		t.Error("another connection is not served meanwhile")
	}
	close(release)
	_ = r.conn.Close() // ends the writer
	take(t, "the end of the resets", sent)
}

// other calls over a connection of its own.
func (w *world) other(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx(), patience)
	defer cancel()
	_, err := w.client.GetSocket(ctx, &sluicev1.GetSocketRequest{})
	if status.Code(err) == codes.InvalidArgument { // the request is empty
		return nil
	}
	return errors.Join(err, errors.New("not refused as it should be"))
}

func TestHeadersAreBounded(t *testing.T) {
	w := newWorld(t)
	most := w.cfg.Server.MaxHeader
	for _, tc := range []struct {
		name  string
		extra int
		taken bool
	}{
		{"within", most - 1024, true},
		{"above", most + 1, false},
		{"a hundred times above", 100 * most, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := w.rude(t)
			go func() {
				stream, err := r.open(sluicev1.Sluice_GetSocket_FullMethodName, tc.extra)
				if err == nil {
					_ = r.send(stream, &sluicev1.GetSocketRequest{}) // the server may have closed
				}
			}()
			answered := false
			for {
				f, err := r.framer.ReadFrame()
				if err != nil {
					break // the connection ended, or the time
				}
				h, isHeaders := f.(*http2.HeadersFrame)
				_, isReset := f.(*http2.RSTStreamFrame)
				_, isAway := f.(*http2.GoAwayFrame)
				if answered = isHeaders && h.StreamEnded(); answered || isReset || isAway {
					break
				}
			}
			if answered != tc.taken {
				t.Errorf("answered: %v", answered)
			}
		})
	}
}

func TestWhoPingsTooOftenIsSentAway(t *testing.T) {
	w := newWorld(t)
	r := w.rude(t)
	go func() {
		for i := range 100 {
			if r.framer.WritePing(false, [8]byte{byte(i)}) != nil {
				return // sent away
			}
		}
	}()
	r.until("the connection's end", func(f http2.Frame) bool {
		away, ok := f.(*http2.GoAwayFrame)
		return ok && away.ErrCode == http2.ErrCodeEnhanceYourCalm
	})
}
