package main

import (
	"math"
	"strings"
	"testing"
)

// sample is a round in which everything of the bare server costs one unit and
// everything of the others so many times as much.
func sample(unit float64, times map[string]float64) round {
	r := round{}
	for name, n := range times {
		r[name] = figures{}
		for _, c := range columns {
			r[name][c.what] = unit * n
		}
	}
	return r
}

func TestTheTableHasMediansOfRatiosInOneRound(t *testing.T) {
	// The second round is on a machine that is ten times slower: what it says of
	// the ratio counts as much as the others.
	rounds := []round{
		sample(10, map[string]float64{bare: 1, "node": 2}),
		sample(100, map[string]float64{bare: 1, "node": 4}),
		sample(10, map[string]float64{bare: 1, "node": 3}),
	}
	text := table(rounds)
	lines := strings.Split(text, "\n")
	if n := strings.Count(lines[0], "|"); n != len(columns)+2 || strings.Count(lines[1], "|") != n {
		t.Errorf("the head has %d bars:\n%s\n%s", n, lines[0], lines[1])
	}
	if want := "| bare writes | 10 | 10 | 10 us | 10 us | 100 k/s | 100 k/s | 100 k/s | 100 k/s |"; lines[2] != want {
		t.Errorf("%s\nwant\n%s", lines[2], want)
	}
	if want := "| Node socket.io 4.8.4 | 30 | 30 | 3.0 x | 3.0 x | 0.33 x | 0.33 x | 0.33 x | 0.33 x |"; lines[3] != want {
		t.Errorf("%s\nwant\n%s", lines[3], want)
	}
	if strings.Contains(text, "centrifuge 0.37.0 |") {
		t.Error("who was not measured has a line")
	}
}

func TestMedians(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{100, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.of); got != c.want {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}
