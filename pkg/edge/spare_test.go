package edge

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// What is wrong with one connection does not end the port, and costs no other
// one its place; a listener that is broken ends it.
func TestWhatEndsAPort(t *testing.T) {
	failed := func(e error) error { return &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", e)} }
	for _, e := range []error{syscall.EPERM, syscall.EPROTO, syscall.ENETDOWN, syscall.EHOSTUNREACH} {
		if err := failed(e); !ofOneConnection(err) || outOfFiles(err) {
			t.Errorf("%v: ends the port %v, sheds %v", e, !ofOneConnection(err), outOfFiles(err))
		}
	}
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if err := failed(e); ofOneConnection(err) || !outOfFiles(err) {
			t.Errorf("%v: skipped %v, sheds %v", e, ofOneConnection(err), outOfFiles(err))
		}
	}
	for _, e := range []error{net.ErrClosed, os.ErrDeadlineExceeded, syscall.EINVAL, syscall.EBADF, syscall.ENOTSOCK} {
		if err := failed(e); ofOneConnection(err) || outOfFiles(err) {
			t.Errorf("%v does not end the port", e)
		}
	}
}
