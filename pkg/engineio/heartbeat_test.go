package engineio

import (
	"fmt"
	"strings"
	"testing"
)

// beats runs a heartbeat for a while and lists what it does, as "time:ping" or
// "time:dead". answer says after how many ms a ping that left at t is heard of,
// negative for never.
func beats(p *Policy, v Version, until int64, answer func(t int64) int64) string {
	var out []string
	var h Heartbeat
	var heard []int64
	seen := int64(0)
	next := h.Begin(p, v, false, 0)
	for now := int64(0); now <= until; now++ {
		for _, t := range heard {
			if t == now {
				seen = now
			}
		}
		if now < next {
			continue
		}
		var b Beat
		b, next = h.Tick(p, v, now, seen)
		switch b {
		case SendPing:
			out = append(out, fmt.Sprintf("%d:ping", now))
			if d := answer(now); d >= 0 {
				heard = append(heard, now+d)
			}
		case Dead:
			return strings.Join(append(out, fmt.Sprintf("%d:dead", now)), " ")
		}
		if next <= now {
			return fmt.Sprintf("%d: next is %d", now, next)
		}
	}
	return strings.Join(out, " ")
}

func TestHeartbeat(t *testing.T) {
	steady := &Policy{Interval: 25000, Timeout: 20000}
	patient := &Policy{Interval: 10000, Timeout: 30000}
	growing := &Policy{Interval: 25000, Timeout: 20000, GrowAfter: 2, Start: 10000, Step: 10000, Retry: 1000, Missed: 5000}
	soon := func(int64) int64 { return 50 }
	for _, c := range []struct {
		name   string
		p      *Policy
		v      Version
		until  int64
		answer func(int64) int64
		want   string
	}{
		{"answered", steady, V4, 80000, soon, "25000:ping 50000:ping 75000:ping"},
		{"never answered", steady, V4, 80000, func(int64) int64 { return -1 }, "25000:ping 45000:dead"},
		{"answered at the last moment", steady, V4, 60000, func(int64) int64 { return 19999 }, "25000:ping 50000:ping"},
		{"dies later", steady, V4, 90000, func(t int64) int64 { return 50 - t/50000*1000 }, "25000:ping 50000:ping 70000:dead"},
		{"timeout above interval", patient, V4, 80000, func(t int64) int64 { return 15000 - t/25000*20000 }, "10000:ping 40000:ping 70000:dead"},
		{"grows up to the interval", growing, V4, 110000, soon, "10000:ping 20000:ping 40000:ping 60000:ping 85000:ping 110000:ping"},
		{"one missed beat", growing, V4, 46000, func(t int64) int64 {
			if t >= 40000 && t < 47000 {
				return -1
			}
			return 50
		}, "10000:ping 20000:ping 40000:ping 45000:ping 46000:ping"},
		{"recovers, and grows again", growing, V4, 58000, func(t int64) int64 {
			if t == 20000 {
				return -1
			}
			return 50
		}, "10000:ping 20000:ping 25000:ping 26000:ping 37000:ping 48000:ping"},
		{"never answered, growing", growing, V4, 80000, func(int64) int64 { return -1 },
			"10000:ping 15000:ping 16000:ping 17000:ping 18000:ping 19000:ping 20000:ping 21000:ping 22000:ping 23000:ping 24000:ping 25000:ping 26000:ping 27000:ping 28000:ping 29000:ping 30000:dead"},
		{"generation 3 is silent", steady, V3, 80000, soon, "45000:dead"},
	} {
		got := beats(c.p, c.v, c.until, c.answer)
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestPatienceOfGeneration3(t *testing.T) {
	p := &Policy{Interval: 25000, Timeout: 20000}
	var h Heartbeat
	if next := h.Begin(p, V3, false, 0); next != 45000 {
		t.Errorf("first look at %d", next)
	}
	if b, next := h.Tick(p, V3, 45000, 30000); b != Quiet || next != 75000 {
		t.Errorf("heard at 30000: %d %d", b, next)
	}
	if b, _ := h.Tick(p, V3, 75000, 30000); b != Dead {
		t.Errorf("silent since: %d", b)
	}
}

func TestEarlyTicksDoNoHarm(t *testing.T) {
	p := &Policy{Interval: 25000, Timeout: 20000, GrowAfter: 3, Start: 10000, Step: 1000, Retry: 1000, Missed: 5000}
	var h Heartbeat
	next := h.Begin(p, V4, false, 0)
	for now := int64(0); now < 10000; now += 100 {
		b, n := h.Tick(p, V4, now, 0)
		if b != Quiet || n != next {
			t.Fatalf("at %d: beat %d, next %d", now, b, n)
		}
	}
}

// A client of generation 3 that asks pings every interval that it is told.
func TestGeneration3GoesByWhatItIsTold(t *testing.T) {
	p := &Policy{Interval: 25000, Timeout: 20000, GrowAfter: 2, Start: 10000, Step: 10000, Retry: 1000, Missed: 5000}
	for _, c := range []struct {
		name  string
		until int64 // when the client falls silent
		again int64 // when it comes back
		want  string
	}{
		{"grows, then dies", 100_000, 1 << 40, "25000:20000 55000:25000 125000:1000 140000:dead"},
		{"comes back", 30_000, 58_000, "25000:20000 55000:1000 67000:11000 95000:21000 127000:25000"},
	} {
		var h Heartbeat
		var out []string
		seen, ping := int64(0), int64(10000)
		next := h.Begin(p, V3, true, 0)
		for now := int64(0); now < 150_000; now++ {
			if now == ping {
				if now <= c.until || now >= c.again {
					seen = now
				}
				ping = now + h.Interval()
			}
			if now < next {
				continue
			}
			was := h.Interval()
			var b Beat
			if b, next = h.Tick(p, V3, now, seen); b == Dead {
				out = append(out, fmt.Sprintf("%d:dead", now))
				break
			}
			if h.Interval() != was {
				out = append(out, fmt.Sprintf("%d:%d", now, h.Interval()))
				ping = min(ping, now+h.Interval())
			}
			if next <= now {
				t.Fatalf("%s: at %d next is %d", c.name, now, next)
			}
		}
		if got := strings.Join(out, " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// What a heartbeat of its own costs a server of 100,000 idle sockets.
func TestPingsPerSecondOfIdleSockets(t *testing.T) {
	growing := &Policy{Interval: 25000, Timeout: 20000, GrowAfter: 3, Start: 10000, Step: 5000, Retry: 1000, Missed: 5000}
	fixed := &Policy{Interval: 25000, Timeout: 20000}
	count := func(p *Policy, from, until int64) int {
		n := 0
		for _, beat := range strings.Fields(beats(p, V4, until, func(int64) int64 { return 50 })) {
			var at int64
			if _, err := fmt.Sscanf(beat, "%d:ping", &at); err != nil {
				t.Fatal(err)
			}
			if at > from {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		p           *Policy
		from, until int64
		want        int // of one socket
	}{{growing, 0, 30_000, 3}, {growing, 0, 135_000, 9}, {growing, 135_000, 385_000, 10}, {fixed, 0, 135_000, 5}, {fixed, 125_000, 375_000, 10}} {
		n := count(c.p, c.from, c.until)
		if n != c.want {
			t.Errorf("%d pings, want %d", n, c.want)
		}
		t.Logf("grow after %d, %d to %d s: %d pings a second to 100,000 sockets", c.p.GrowAfter, c.from/1000, c.until/1000, int64(n)*100_000_000/(c.until-c.from))
	}
}
