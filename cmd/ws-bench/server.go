package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// metric reads one value of the server's own metrics.
func metric(ctx context.Context, s settings, name string) (float64, error) {
	body, err := get(ctx, "http://"+s.governor+"/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // read as far as it is of use
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}

func get(ctx context.Context, url string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return answer.Body, nil
}

// serverMemory is the server's resident memory after it has collected its
// garbage, which asking for a heap profile makes it do.
func serverMemory(ctx context.Context, s settings) (float64, error) {
	for range 2 {
		body, err := get(ctx, "http://"+s.governor+"/debug/pprof/heap?gc=1")
		if err != nil {
			return 0, err
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return 0, err
		}
		_ = body.Close() // read to its end
		select {
		case <-time.After(3 * time.Second): // memory is returned in the background
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return metric(ctx, s, "process_resident_memory_bytes")
}
