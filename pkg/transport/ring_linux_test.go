//go:build linux && (amd64 || arm64)

package transport

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"testing"
)

func ringOrSkip(t *testing.T) *ring {
	r, err := newRing()
	if err != nil {
		t.Skipf("this kernel does not permit it: %v", err)
	}
	t.Cleanup(r.close)
	return r
}

// pairs are connected sockets: what is written to the first of each is read
// from the second.
func pairs(t *testing.T, n int) (jobs []sending, ends []*os.File) {
	t.Helper()
	for range n {
		p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		end := os.NewFile(uintptr(p[1]), "end")
		t.Cleanup(func() { syscall.Close(p[0]); end.Close() })
		jobs, ends = append(jobs, sending{fd: int32(p[0])}), append(ends, end)
	}
	return jobs, ends
}

func TestARingSendsToAll(t *testing.T) {
	r := ringOrSkip(t)
	jobs, ends := pairs(t, ringSize)
	for round := range 3 * ringSize { // the queues go round
		some := jobs[:1+round%ringSize]
		for i := range some {
			some[i].b = repeat(string(rune('a'+i%26)), 1+i+round)
		}
		if err := r.send(some); err != nil {
			t.Fatal(err)
		}
		for i := range some {
			if some[i].err != nil || some[i].n != len(some[i].b) {
				t.Fatalf("round %d, job %d: %d bytes, %v", round, i, some[i].n, some[i].err)
			}
			got := make([]byte, some[i].n)
			if _, err := io.ReadFull(ends[i], got); err != nil || !bytes.Equal(got, some[i].b) {
				t.Fatalf("round %d, job %d: %.40q, %v", round, i, got, err)
			}
		}
	}
}

// The full, those that take a part, and the broken end as with writeNow, and
// the others are none the worse.
func TestARingDoesNotWait(t *testing.T) {
	r := ringOrSkip(t)
	jobs, ends := pairs(t, 4)
	full, part, broken, fine := &jobs[0], &jobs[1], &jobs[2], &jobs[3]
	full.b, part.b, broken.b, fine.b = repeat("f", 100), repeat("p", 16<<20), repeat("b", 100), repeat("g", 100)
	for {
		if n, err := writeNow(int(full.fd), full.b); err != nil || n < len(full.b) {
			break
		}
	}
	ends[2].Close()
	if err := r.send(jobs); err != nil {
		t.Fatal(err)
	}
	if full.n != 0 || full.err != nil {
		t.Errorf("full: %d, %v", full.n, full.err)
	}
	if part.n == 0 || part.n == len(part.b) || part.err != nil {
		t.Errorf("part: %d, %v", part.n, part.err)
	}
	if broken.n != 0 || broken.err != syscall.EPIPE {
		t.Errorf("broken: %d, %v", broken.n, broken.err)
	}
	if fine.n != len(fine.b) || fine.err != nil {
		t.Errorf("fine: %d, %v", fine.n, fine.err)
	}
}

// When a ring breaks, what it was given leaves in the other way, and so does
// everything after it.
func TestABrokenRingIsGivenUp(t *testing.T) {
	ringOrSkip(t)
	w := newWorld(t)
	peers, all := w.several(2 * worthRing)
	for range cap(w.v.rings) {
		r := <-w.v.rings
		null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err == nil {
			err = syscall.Dup3(null, r.fd, syscall.O_CLOEXEC)
		}
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(null)
		w.v.rings <- r
	}
	var batch Batch
	for range cap(w.v.rings) + 1 {
		for _, c := range all {
			batch.Send(c.s, NewFrame([]byte("hello")))
		}
		batch.Flush()
		for _, p := range peers {
			p.wants("4hello")
		}
	}
	if n := len(w.v.rings); n != 0 {
		t.Errorf("%d rings are still used", n)
	}
}
