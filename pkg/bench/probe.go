package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"sluice/pkg/bench/report"
)

// probe watches the processes of a target.
type probe struct {
	processes []process
	calm      calm
	metrics   []map[string]float64 // before the load
	cpu       []float64            // the same

	mu      sync.Mutex // guards what follows
	reports []report.Process
	used    []float64 // CPU seconds, as last seen: what has ended has used it, too
	gone    []bool    // the processes that have ended
}

// usage is that of a process; one that has ended has no memory and uses no more.
func (p *probe) usage(i int) (resident int64, cpu float64) {
	resident, cpu, err := usage(p.processes[i].pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone[i] = err != nil; err != nil {
		return 0, p.used[i]
	}
	p.used[i] = cpu
	return resident, cpu
}

// ended names the processes that are no more.
func (p *probe) ended() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, gone := range p.gone {
		if gone {
			names = append(names, fmt.Sprintf("%s (process %d)", p.processes[i].name, p.processes[i].pid))
		}
	}
	return names
}

// deserted tells whether all counted processes have ended.
func (p *probe) deserted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	counted := 0
	for i, of := range p.processes {
		if of.counted && of.pid != 0 {
			if counted++; !p.gone[i] {
				return false
			}
		}
	}
	return counted > 0
}

// change lets f change what is reported of a process.
func (p *probe) change(i int, f func(*report.Process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.reports[i])
}

func newProbe(processes []process, calm calm) *probe {
	n := len(processes)
	p := &probe{processes: processes, calm: calm, metrics: make([]map[string]float64, n), cpu: make([]float64, n), used: make([]float64, n), gone: make([]bool, n)}
	for _, of := range processes {
		p.reports = append(p.reports, report.Process{Name: of.name, PID: of.pid, Counted: of.counted})
	}
	return p
}

// check says which processes cannot be watched.
func (p *probe) check(ctx context.Context) error {
	for _, of := range p.processes {
		if of.pid != 0 {
			if _, _, err := usage(of.pid); err != nil {
				return fmt.Errorf("%s: %w", of.name, err)
			}
		}
		if of.metrics != "" {
			if _, err := scrape(ctx, of.metrics); err != nil {
				return fmt.Errorf("%s: metrics: %w", of.name, err)
			}
		}
	}
	return nil
}

// files is how many files the counted processes may have open.
func (p *probe) files() map[int]int {
	all := map[int]int{}
	for _, of := range p.processes {
		if n, err := openFiles(of.pid); err == nil && of.counted {
			all[of.pid] = n
		}
	}
	return all
}

// now is what the counted processes use.
func (p *probe) now() (resident int64, cpu float64) {
	for i, of := range p.processes {
		if of.pid == 0 {
			continue
		}
		r, c := p.usage(i)
		p.change(i, func(of *report.Process) { of.Peak = max(of.Peak, r) })
		if of.counted {
			resident, cpu = resident+r, cpu+c
		}
	}
	return resident, cpu
}

// begin marks the beginning of the load. The kernel's own peak of memory starts
// anew where that is allowed: it misses nothing between two looks.
func (p *probe) begin(ctx context.Context) {
	for i, of := range p.processes {
		p.change(i, func(r *report.Process) { r.Peak = 0 })
		if of.pid != 0 {
			_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", of.pid), []byte("5"), 0) // the looks have to do then
			_, p.cpu[i] = p.usage(i)
		}
		if of.metrics != "" {
			p.metrics[i], _ = scrape(ctx, of.metrics)
		}
	}
}

// end reads what the load has cost.
func (p *probe) end(ctx context.Context) {
	for i, of := range p.processes {
		if of.pid != 0 {
			_, cpu := p.usage(i)
			p.change(i, func(r *report.Process) { r.CPU = cpu - p.cpu[i] })
			if peak, err := statusField(of.pid, "VmHWM"); err == nil && p.cleared(of.pid) {
				p.change(i, func(r *report.Process) { r.Peak = max(r.Peak, peak) })
			}
		}
		if of.metrics != "" {
			if after, err := scrape(ctx, of.metrics); err == nil {
				p.change(i, func(r *report.Process) { r.Metrics = metricsOf(p.metrics[i], after) })
			}
		}
	}
}

// garbage is the CPU seconds that the counted processes' collectors have used,
// as far as they tell, without those that nobody else wanted. Go takes them by
// the clock: on a machine that is busy with something else they are too many.
func (p *probe) garbage(ctx context.Context) (sum float64) {
	for _, of := range p.processes {
		if of.metrics == "" || !of.counted {
			continue
		}
		if m, err := scrape(ctx, of.metrics); err == nil {
			sum += m["go_cpu_classes_gc_total_cpu_seconds_total"] - m["go_cpu_classes_gc_mark_idle_cpu_seconds_total"]
		}
	}
	return sum
}

// cleared tells whether the kernel's peak could be started anew.
func (p *probe) cleared(pid int) bool {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/clear_refs", pid), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	_ = f.Close() // nothing was written
	return true
}

// peak is the sum of the counted processes' peaks.
func (p *probe) peak() (sum int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, of := range p.processes {
		if of.counted {
			sum += p.reports[i].Peak
		}
	}
	return sum
}

// over tells whether what ctx is for has ended, which is no error to those who
// stop then.
func over(ctx context.Context) bool { return ctx.Err() != nil }

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
