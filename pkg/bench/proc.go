package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"sluice/pkg/bench/report"
)

// tick is the unit of CPU time in /proc, fixed by the kernel's interface.
const tick = 0.01

// usage reads a process's resident memory in bytes and its CPU time in seconds,
// user and system.
func usage(pid int) (resident int64, cpu float64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 22 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	if err != nil {
		return 0, 0, err
	}
	resident, err = statusField(pid, "VmRSS")
	return resident, (user + system) * tick, err
}

// statusField reads a line of /proc/pid/status that is in kB, as bytes.
func statusField(pid int, name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return kilobytes(text, name)
}

func kilobytes(text []byte, name string) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), name+":"); found {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no line %s", name)
}

// exact reads the resident memory from the page tables: slower, and right to
// the page, where the running counts lag behind.
func exact(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err == nil {
		if n, err := kilobytes(text, "Rss"); err == nil {
			return n, nil
		}
	}
	resident, _, err := usage(pid) // another user's process hides the tables
	return resident, err
}

// openFiles reads how many files a process may have open.
func openFiles(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "Max open files"); found {
			if fields := strings.Fields(value); len(fields) > 0 {
				if fields[0] == "unlimited" {
					return 1 << 30, nil
				}
				return strconv.Atoi(fields[0])
			}
		}
	}
	return 0, fmt.Errorf("/proc/%d/limits says nothing of open files", pid)
}

// ports is how many of an address can be used towards one other.
func ports() int {
	const usual = 28_232
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var from, to int
	if _, err := fmt.Sscan(string(text), &from, &to); err != nil || to <= from {
		return usual
	}
	return to - from + 1
}

// machine describes this one.
func machine() report.Machine {
	m := report.Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + " " + runtime.GOARCH, Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, found := strings.CutPrefix(line, "model name"); found {
				m.CPU = strings.TrimSpace(strings.TrimLeft(name, " \t:"))
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if n, err := kilobytes(text, "MemTotal"); err == nil {
			m.Memory = n
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System = "Linux " + strings.TrimSpace(string(text)) + " " + runtime.GOARCH
	}
	return m
}
