package bench

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/report"
	"sluice/pkg/bench/stand"
)

// until conducts a scenario and does something once its load has delivered.
func until(t *testing.T, target *Target, s Scenario, do func(cancel func())) (report.Run, error) {
	t.Helper()
	if err := target.complete(); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := false
	c := &conductor{job: job{
		scenario: s, target: target, meant: s.Clients.Sockets, program: program, workers: 2,
		limits: limits{files: 1000, ports: 20_000}, calm: hasty,
		show: func(p progress) {
			if p.Point.Delivered > 0 && !done {
				done = true
				do(cancel)
			}
		},
	}}
	return c.conduct(ctx)
}

func long(s *Scenario) { s.Load.Duration, s.Push.Receipts = 50*time.Second, true }

func TestAnInterruptedRunTellsWhatCame(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	r, err := until(t, target, quick(long), func(cancel func()) { cancel() })
	if !errors.Is(err, errInterrupted) {
		t.Errorf("%v", err)
	}
	m := &r.Messages
	if len(r.Problems) != 0 || m.Pushed == 0 || m.Lost != 0 || m.Expected != m.Pushed*200 || r.Receipts.Received != m.Delivered || r.Seconds == 0 || len(r.Series) == 0 {
		t.Errorf("%v: %+v, %+v", r.Problems, *m, r.Receipts)
	}
}

// TestAServerThatIsKilledUnderLoadIsReported: with what came until then.
func TestAServerThatIsKilledUnderLoadIsReported(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // the server's from here
	server := exec.Command(program, "stand", "-listen", address)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }() // it is dead most of the time
	for from := time.Now(); ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			break
		} else if time.Since(from) > 10*time.Second {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	target := &Target{Kind: kindStock, Servers: []string{address}, PIDs: []int{server.Process.Pid}}
	from := time.Now()
	r, err := until(t, target, quick(long), func(func()) { _ = server.Process.Kill(); _ = server.Wait() })
	if err == nil || !strings.Contains(err.Error(), errAllEnded.Error()) {
		t.Errorf("%v", err)
	}
	if time.Since(from) > 30*time.Second {
		t.Errorf("nobody was there any more, and it took %v to see", time.Since(from))
	}
	text := strings.Join(r.Problems, "\n")
	for _, want := range []string{"server 1 (process", "has ended", "0 of 200 clients were connected in the end"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing is said of %q: %s", want, text)
		}
	}
	// A connection ends in one way or another, as something had come or not.
	dropped := 0
	for _, m := range regexp.MustCompile(`the server dropped (\d+) connections: (?:reset|end)`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		dropped += n
	}
	if dropped != 200 {
		t.Errorf("%d connections are said to have been dropped: %s", dropped, text)
	}
	if r.Messages.Delivered == 0 || r.Messages.Expected == 0 || r.CPU.Load < 0 || len(r.Series) == 0 {
		t.Errorf("%+v, %+v", r.Messages, r.CPU)
	}
}

// listener serves each connection with f.
func listener(t *testing.T, f func(net.Conn)) *Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f(conn)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return &Target{Kind: kindStock, Servers: []string{l.Addr().String()}}
}

func TestServersThatDoNotServeAreErrors(t *testing.T) {
	var held []net.Conn
	t.Cleanup(func() { // when nobody adds to them any more
		for _, c := range held {
			_ = c.Close()
		}
	})
	silent := listener(t, func(c net.Conn) { held = append(held, c) })
	closing := listener(t, func(c net.Conn) { _ = c.Close() })
	for _, c := range []struct {
		target *Target
		want   []string // any of them
	}{{silent, []string{"no answer"}}, {closing, []string{"the server has ended", "reset by peer"}}} {
		if err := c.target.complete(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := newStock(ctx, c.target)
		cancel()
		if err == nil || !slices.ContainsFunc(c.want, func(want string) bool { return strings.Contains(err.Error(), want) }) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
