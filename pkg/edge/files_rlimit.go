//go:build linux || darwin

package edge

import "syscall"

// openFiles is how many the process may have; 0 when nobody knows.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30)) // there may be no limit
}
