//go:build linux && (amd64 || arm64)

package transport

import (
	"testing"
	"unsafe"
)

// What an idle connection holds, in bytes as the allocator hands them out. Who
// adds a field sees here what it costs half a million connections; the sizes
// that the allocator has are 48, 64, 80, 96, 112, 128, 144.
func TestWhatAnIdleConnectionHolds(t *testing.T) {
	for _, row := range []struct {
		name string
		size uintptr
		most uintptr
	}{
		{"Session", unsafe.Sizeof(Session{}), 144},
		{"link", unsafe.Sizeof(link{}), 80},
		{"polled, with a reactor", unsafe.Sizeof(polled{}), 48},
		{"feed, with a goroutine", unsafe.Sizeof(feed{}), 80},
		{"wire, below TLS", unsafe.Sizeof(wire{}), 80},
		{"all of them over TCP in a reactor", unsafe.Sizeof(Session{}) + unsafe.Sizeof(link{}) + unsafe.Sizeof(polled{}), 272},
	} {
		if row.size > row.most {
			t.Errorf("%s: %d bytes, want at most %d", row.name, row.size, row.most)
		}
	}
}
