package transport

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

// Who is cut while a system call is made on its connection is reset, as always:
// the end of that call closes it.
func TestACutDuringASystemCallIsAReset(t *testing.T) {
	l, far := bareLink(t, config(func(c *Config) { c.Reader = readerReactor }))
	x := l.conn.(*polled)
	if err := l.send([]byte("sent"), false); err != nil {
		t.Fatal(err)
	}
	if !x.use() {
		t.Fatal("it is closed")
	}
	l.cut()
	if _, err := io.ReadFull(far, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before the call has ended the client reads %v", err)
	}
	x.unuse()
	far.SetReadDeadline(time.Now().Add(patience))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("then it reads %v", err)
	}
}
