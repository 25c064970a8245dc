package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const scrapeTimeout = 10 * time.Second

// scraper keeps no connection that a server would have to close when it leaves.
var scraper = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func fetch(ctx context.Context, address string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := scraper.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close() // it is of no use
		return nil, fmt.Errorf("%s answers %s", address, answer.Status)
	}
	return answer, nil
}

// scrape reads a server's metrics in Prometheus' text form, with their labels.
func scrape(ctx context.Context, address string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	answer, err := fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // read to its end, or of no use
	return parseMetrics(answer.Body)
}

func parseMetrics(r io.Reader) (map[string]float64, error) {
	all := map[string]float64{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, '}') + 1
		if end == 0 {
			end = max(strings.IndexByte(line, ' '), 0)
		}
		fields := strings.Fields(line[end:])
		if len(fields) == 0 {
			continue
		}
		if v, err := strconv.ParseFloat(fields[0], 64); err == nil {
			all[line[:end]] = v
		}
	}
	return all, lines.Err()
}

// telling are metrics of every Go program that say how it is.
var telling = map[string]bool{
	"go_goroutines": true, "go_memstats_heap_inuse_bytes": true, "go_memstats_stack_inuse_bytes": true, "process_open_fds": true,
}

// metricsOf picks what a report shows: of counters, what was added under load;
// of the rest, what it was in the end. Zero says nothing.
func metricsOf(before, after map[string]float64) map[string]float64 {
	some := map[string]float64{}
	for name, v := range after {
		bare, _, _ := strings.Cut(name, "{")
		switch {
		case telling[bare]:
		case !strings.HasPrefix(bare, "sluice_"), strings.HasSuffix(bare, "_bucket"), strings.HasSuffix(bare, "_sum"):
			continue
		case strings.HasSuffix(bare, "_total"), strings.HasSuffix(bare, "_count"):
			v -= before[name]
		}
		if v != 0 {
			some[name] = v
		}
	}
	return some
}

// collectGarbage asks a Go program for a heap profile, which makes it collect
// first. Servers that have none are as they are; false tells.
func collectGarbage(ctx context.Context, metrics string) bool {
	u, err := url.Parse(metrics)
	if err != nil {
		return false
	}
	u.Path, u.RawQuery = "/debug/pprof/heap", "gc=1"
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	answer, err := fetch(ctx, u.String())
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, answer.Body) // only the asking counts
	_ = answer.Body.Close()
	return true
}
