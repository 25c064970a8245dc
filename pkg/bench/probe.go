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

	mu      sync.Mutex // guards reports
	reports []report.Process
}

// change lets f change what is reported of a process.
func (p *probe) change(i int, f func(*report.Process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.reports[i])
}

func newProbe(processes []process, calm calm) *probe {
	p := &probe{processes: processes, calm: calm, metrics: make([]map[string]float64, len(processes)), cpu: make([]float64, len(processes))}
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
		r, c, err := usage(of.pid)
		if err != nil {
			continue // as in rest
		}
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
			_, p.cpu[i], _ = usage(of.pid)
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
			if _, cpu, err := usage(of.pid); err == nil {
				p.change(i, func(r *report.Process) { r.CPU = cpu - p.cpu[i] })
			}
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
