package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/pkg/bench/report"
)

// kernel is what this machine's kernel held at some time, as far as sockets are
// concerned. All of it is the whole machine's, whoever else has sockets on it.
type kernel struct {
	caches  map[string]slab // empty where only root may read them
	slab    int64           // bytes of all caches; 0 where it is not told
	sockets int64           // TCP's, of this network
	buffers int64           // bytes of TCP's buffers
}

// slab is a cache of the kernel: its objects, and the bytes that one takes.
type slab struct{ objects, bytes float64 }

// socketCaches hold what a TCP socket is made of, with the most objects that one
// takes: what is more is somebody else's, as most of dentry is. Caches of the
// same size share the name of one of them, where a client's port lands with the
// entries of epoll.
var socketCaches = map[string]float64{
	"TCP": 1, "TCPv6": 1, "sock_inode_cache": 1, "filp": 1, "dentry": 1, "lsm_inode_cache": 1, "lsm_file_cache": 1,
	"eventpoll_epi": 2, "ep_head": 1, "tcp_bind_bucket": 1, "tcp_bind2_bucket": 1,
}

// enoughEnds is how many sockets more tell what one takes: caches are counted by
// whole pages on each CPU.
const enoughEnds = 1000

// readKernel reads what there is below proc, which is /proc.
func readKernel(proc string) kernel {
	k := kernel{caches: map[string]slab{}}
	read := func(name string, line func(fields []string)) {
		text, err := os.ReadFile(filepath.Join(proc, name))
		if err != nil {
			return // it is not told then
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			line(strings.Fields(lines.Text()))
		}
	}
	read("slabinfo", func(f []string) {
		var active, all, size, each, pages float64
		if len(f) < 6 || socketCaches[f[0]] == 0 {
			return
		}
		if _, err := fmt.Sscan(strings.Join(f[1:6], " "), &active, &all, &size, &each, &pages); err == nil && each > 0 {
			k.caches[f[0]] = slab{active, pages * float64(os.Getpagesize()) / each}
		}
	})
	read("meminfo", func(f []string) {
		if len(f) > 1 && f[0] == "Slab:" {
			k.slab = number(f[1]) << 10
		}
	})
	for _, name := range []string{"net/sockstat", "net/sockstat6"} {
		read(name, func(f []string) {
			if len(f) == 0 || f[0] != "TCP:" && f[0] != "TCP6:" {
				return
			}
			for i := 1; i+1 < len(f); i += 2 {
				switch f[i] {
				case "inuse":
					k.sockets += number(f[i+1])
				case "mem":
					k.buffers += number(f[i+1]) * int64(os.Getpagesize())
				}
			}
		})
	}
	return k
}

// number is 0 for what is none.
func number(text string) (n int64) {
	_, _ = fmt.Sscan(text, &n) // n stays 0
	return n
}

// since is what each socket takes that has come to the machine since before, when
// ends of them are expected; nil where that cannot be told.
func (k *kernel) since(before *kernel, ends int) *report.Kernel {
	r := &report.Kernel{Caches: map[string]float64{}, From: "slab caches"}
	more := func(name string) float64 { return k.caches[name].objects - before.caches[name].objects }
	sockets := more("TCP") + more("TCPv6")
	if len(k.caches) == 0 {
		sockets = float64(k.sockets - before.sockets)
	}
	if sockets < enoughEnds || sockets < 0.75*float64(ends) {
		return nil // too few to tell, or they are not of this machine
	}
	for name, most := range socketCaches {
		if each := min(more(name)/sockets, most); each > 0 {
			r.Caches[name] = each * k.caches[name].bytes
			r.PerEnd += r.Caches[name]
		}
	}
	if len(k.caches) == 0 {
		r.Caches, r.From, r.PerEnd = nil, "all of Slab", float64(k.slab-before.slab)/sockets
	}
	r.Ends, r.Buffers = int64(sockets), max(float64(k.buffers-before.buffers)/sockets, 0)
	if r.PerEnd < 1 {
		return nil
	}
	return r
}
