//go:build linux && (amd64 || arm64)

package transport

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// ring is an io_uring that sends on many descriptors in one system call. The
// sends never wait, so that all of them have ended when the call returns. One
// goroutine at a time uses it.
type ring struct {
	fd    int
	mem   []byte // both queues, shared with the kernel
	slots []byte // the entries of the submission queue

	entries []sqe   // in slots
	tail    *uint32 // of the submission queue; ours to move
	head    *uint32 // of the completion queue; ours to move
	ends    *uint32 // tail of the completion queue, the kernel's
	done    []cqe   // in mem
	mask    uint32  // of both: the completion queue is made as long
	probe   [1]byte // what try sends
}

// ringSize is how many sends a call has. The processor is in the kernel for as
// long as they take.
const ringSize = 64

// What linux/io_uring.h says.
const (
	sysRingSetup = 425
	sysRingEnter = 426

	ringOpSend     = 26
	ringGetEvents  = 1
	ringSetupSize  = 1 << 3 // IORING_SETUP_CQSIZE
	ringSetupAll   = 1 << 7 // IORING_SETUP_SUBMIT_ALL: an entry that fails does not stop the others
	ringOneMapping = 1      // IORING_FEAT_SINGLE_MMAP
	ringSlots      = 0x10000000
)

// sqe is struct io_uring_sqe as far as a send needs it.
type sqe struct {
	opcode, flags uint8
	_             uint16
	fd            int32
	_             uint64
	addr          uint64
	length        uint32
	sendFlags     uint32
	user          uint64
	_             [3]uint64
}

// cqe is struct io_uring_cqe.
type cqe struct {
	user  uint64
	res   int32
	flags uint32
}

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries, flags, sqCPU, sqIdle, features, wq uint32
	_                                                        [3]uint32
	sq                                                       struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// newRing opens a ring and tries it out: kernels, containers and sandboxes
// forbid it in many ways.
func newRing() (*ring, error) {
	p := ringParams{flags: ringSetupSize | ringSetupAll, cqEntries: ringSize}
	fd, _, errno := syscall.RawSyscall(sysRingSetup, ringSize, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &ring{fd: int(fd)}
	err := r.share(&p)
	if err == nil {
		err = r.try()
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// share maps the queues.
func (r *ring) share(p *ringParams) (err error) {
	if p.features&ringOneMapping == 0 || p.sqEntries != ringSize || p.cqEntries != ringSize {
		return errors.ErrUnsupported
	}
	const both, now = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_SHARED | syscall.MAP_POPULATE
	size := max(p.sq.array+4*p.sqEntries, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(cqe{})))
	if r.mem, err = syscall.Mmap(r.fd, 0, int(size), both, now); err != nil {
		return fmt.Errorf("transport: io_uring: %w", err)
	}
	if r.slots, err = syscall.Mmap(r.fd, ringSlots, ringSize*int(unsafe.Sizeof(sqe{})), both, now); err != nil {
		return fmt.Errorf("transport: io_uring: %w", err)
	}
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.mem[offset])) }
	r.tail, r.head, r.ends, r.mask = at(p.sq.tail), at(p.cq.head), at(p.cq.tail), ringSize-1
	r.entries = unsafe.Slice((*sqe)(unsafe.Pointer(&r.slots[0])), ringSize)
	r.done = unsafe.Slice((*cqe)(unsafe.Pointer(&r.mem[p.cq.cqes])), ringSize)
	places := unsafe.Slice(at(p.sq.array), ringSize)
	for i := range places {
		places[i] = uint32(i) // each place of the queue has an entry of its own
	}
	return nil
}

// try sends a byte to a socket of our own.
func (r *ring) try() error {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	job := []sending{{fd: int32(pair[0]), b: r.probe[:]}}
	if err = r.send(job); err == nil && job[0].n != 1 {
		err = fmt.Errorf("transport: io_uring: send: %w", job[0].err)
	}
	return err
}

// send writes each of the jobs, at most ringSize of them, as writeNow would.
// Their bytes must be on the heap, where they stay while the kernel reads them.
// An error means that the ring is beyond use.
func (r *ring) send(jobs []sending) error {
	tail := *r.tail
	for i := range jobs {
		j := &jobs[i]
		j.n, j.err = 0, errNeverEnded
		r.entries[tail&r.mask] = sqe{opcode: ringOpSend, fd: j.fd,
			addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(j.b)))), length: uint32(len(j.b)),
			sendFlags: syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL, user: uint64(i)}
		tail++
	}
	atomic.StoreUint32(r.tail, tail)
	return r.enter(jobs)
}

// errNeverEnded is how a send ended of which the kernel has not told anything.
var errNeverEnded = errors.New("transport: io_uring: a send did not end")

// enter has the kernel do what was entered, and takes down how it ended.
func (r *ring) enter(jobs []sending) error {
	for begun, ended := 0, 0; ended < len(jobs); {
		// It is told to the scheduler, as it takes as long as all these sends.
		n, _, errno := syscall.Syscall6(sysRingEnter, uintptr(r.fd), uintptr(len(jobs)-begun),
			uintptr(len(jobs)-ended), ringGetEvents, 0, 0)
		if errno == 0 {
			begun += int(n)
		}
		ended += r.reap(jobs)
		if errno != 0 && errno != syscall.EINTR {
			for i := range jobs[begun:] { // the kernel does not know of these
				j := &jobs[begun+i]
				j.n, j.err = writeNow(int(j.fd), j.b)
			}
			return os.NewSyscallError("io_uring_enter", errno)
		}
	}
	return nil
}

// reap takes down what has ended.
func (r *ring) reap(jobs []sending) (n int) {
	head, end := *r.head, atomic.LoadUint32(r.ends)
	for ; head != end; head++ {
		e := &r.done[head&r.mask]
		j := &jobs[e.user]
		switch errno := syscall.Errno(-e.res); {
		case e.res >= 0:
			j.n, j.err = int(e.res), nil
		case errno == syscall.EAGAIN || errno == syscall.EINTR:
			j.err = nil
		default:
			j.err = errno
		}
		n++
	}
	atomic.StoreUint32(r.head, head)
	return n
}

func (r *ring) close() {
	if r.slots != nil {
		_ = syscall.Munmap(r.slots) // nothing can be done about it
	}
	if r.mem != nil {
		_ = syscall.Munmap(r.mem) // nothing can be done about it
	}
	syscall.Close(r.fd)
}
