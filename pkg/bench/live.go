package bench

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// live shows progress: one line that is written over in a terminal, or a new
// one now and then elsewhere.
type live struct {
	to       io.Writer
	terminal bool
	columns  func() int // of the terminal; 0 if it does not tell

	mu    sync.Mutex // guards what follows
	width int
	phase string
	at    time.Time
}

func newLive(to *os.File) *live {
	info, err := to.Stat()
	return &live{to: to, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, columns: func() int {
		size, err := unix.IoctlGetWinsize(int(to.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			return 0
		}
		return int(size.Col)
	}}
}

// quietFor is the time between two lines where they are not written over.
const quietFor = 10 * time.Second

func (l *live) show(p progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := progressLine(&p)
	if l.terminal {
		// A line that is longer than the terminal could not be written over.
		if most := l.columns() - 1; most > 0 && len(line) > most {
			line = line[:most]
		}
		fmt.Fprintf(l.to, "\r%s%s", line, strings.Repeat(" ", max(0, l.width-len(line))))
		l.width = len(line)
		return
	}
	if now := time.Now(); p.Phase != l.phase || now.Sub(l.at) >= quietFor {
		l.phase, l.at = p.Phase, now
		fmt.Fprintln(l.to, line)
	}
}

// done ends the line.
func (l *live) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal && l.width > 0 {
		fmt.Fprintln(l.to)
	}
	l.width, l.phase = 0, ""
}

func progressLine(p *progress) string {
	s := &p.Point
	line := fmt.Sprintf("%s: %-7s %4.0f s  up %s", p.Run, p.Phase, s.At, commas(s.Up))
	if s.Connects > 0 {
		line += fmt.Sprintf("  +%s/s", commas(int(s.Connects)))
	}
	if s.Delivered > 0 {
		line += fmt.Sprintf("  down %s/s p50 %.1f p99 %.1f ms", commas(int(s.Delivered)), s.Latency.P50, s.Latency.P99)
	}
	if s.Received > 0 {
		line += fmt.Sprintf("  up %s/s", commas(int(s.Received)))
	}
	if s.Resident > 0 {
		line += fmt.Sprintf("  server %.0f MB %.2f cores", float64(s.Resident)/1e6, s.Cores)
	}
	return line + fmt.Sprintf("  clients %.2f cores", s.Clients)
}
