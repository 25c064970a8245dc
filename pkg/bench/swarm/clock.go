package swarm

import "time"

var began, offset = time.Now(), monotonic()

// Now is a time in nanoseconds that all processes of a machine share and that
// nobody sets: times of one process are compared with those of another.
func Now() int64 { return offset + int64(time.Since(began)) }
