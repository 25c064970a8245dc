package bench

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"sluice/pkg/bench/report"
)

// recorded is /proc before and after 2,000 connections over loopback, both ends
// of which a small program watched with epoll; changes are made to the copy.
func recorded(t *testing.T, when string, changes map[string]string) kernel {
	t.Helper()
	dir := filepath.Join(t.TempDir(), when)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "kernel", when))); err != nil {
		t.Fatal(err)
	}
	for name, text := range changes {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return readKernel(dir)
}

func TestTheKernelsMemoryIsReadFromItsCaches(t *testing.T) {
	before, after := recorded(t, "before", nil), recorded(t, "after", nil)
	r := after.since(&before, 4000)
	page := float64(os.Getpagesize())
	if r == nil || r.Ends != 3991 || r.From != "slab caches" || r.PerEnd < 4050*page/4096 || r.PerEnd > 4120*page/4096 {
		t.Fatalf("%+v", r)
	}
	for name, want := range map[string]float64{
		"TCP": 8 * page / 13, "sock_inode_cache": 4 * page / 19, "dentry": page / 21, "eventpoll_epi": 7480. / 3991 * page / 32,
	} {
		if math.Abs(r.Caches[name]-want) > 1 {
			t.Errorf("%s takes %.1f bytes, want %.1f", name, r.Caches[name], want)
		}
	}
	if _, some := r.Caches["kmalloc-128"]; some || r.Buffers != 0 {
		t.Errorf("%+v", r)
	}
}

// TestOthersFilesAreNoSockets: what a compiler has opened meanwhile fills some of
// the same caches.
func TestOthersFilesAreNoSockets(t *testing.T) {
	before, after := recorded(t, "before", nil), recorded(t, "after", nil)
	calm := after.since(&before, 4000).PerEnd
	for _, name := range []string{"dentry", "lsm_inode_cache", "filp"} {
		s := after.caches[name]
		s.objects += 100_000
		after.caches[name] = s
	}
	if busy := after.since(&before, 4000).PerEnd; math.Abs(busy-calm) > 20 {
		t.Errorf("%.0f bytes on a busy machine, %.0f on a calm one", busy, calm)
	}
}

func TestWhoMayNotReadTheCachesReadsTheirSum(t *testing.T) {
	before, after := recorded(t, "before", map[string]string{"slabinfo": ""}), recorded(t, "after", map[string]string{
		"slabinfo": "", "meminfo": "Slab: 1047576 kB\n", "net/sockstat6": "TCP6: inuse 997\n",
	})
	before.slab, before.buffers = (1047576-20000)<<10, 0
	r := after.since(&before, 4000)
	if r == nil || r.Ends != 5000 || r.From != "all of Slab" || r.Caches != nil || r.PerEnd != 20000*1024./5000 || r.Buffers != 306*float64(os.Getpagesize())/5000 {
		t.Errorf("%+v", r)
	}
}

func TestWhatCannotBeToldOfTheKernelIsAbsent(t *testing.T) {
	before, after := recorded(t, "before", nil), recorded(t, "after", nil)
	nothing := readKernel(t.TempDir())
	few := recorded(t, "before", nil)
	few.caches["TCP"] = slab{before.caches["TCP"].objects + enoughEnds, 2520}
	if r := few.since(&before, 0); r == nil || r.PerEnd != 2520 {
		t.Errorf("just enough sockets: %+v", r)
	}
	few.caches["TCP"] = slab{before.caches["TCP"].objects + enoughEnds - 1, 2520}
	shrunk := recorded(t, "after", map[string]string{"slabinfo": ""})
	shrunk.slab = before.slab - 1
	bare := recorded(t, "before", map[string]string{"slabinfo": ""})
	for name, r := range map[string]*report.Kernel{
		"no /proc": nothing.since(&nothing, 4000), "nothing changed": before.since(&before, 0), "one below enough": few.since(&before, 0),
		"sockets of another machine": after.since(&before, 400_000), "caches that shrank": shrunk.since(&bare, 0),
	} {
		if r != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
