package bench

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/pkg/bench/launch"
	"sluice/pkg/bench/report"
	"sluice/pkg/bench/stand"
	"sluice/pkg/bench/swarm"
)

// quick is a scenario of a few seconds.
func quick(change func(*Scenario)) Scenario {
	s := defaultScenario()
	s.name = "quick"
	s.Clients.Sockets, s.Clients.Documents = 200, 1
	// The last two are for slow machines: settling ends when nothing is missing.
	s.Load = LoadSection{Duration: 1200 * time.Millisecond, Settle: 30 * time.Second, OnTheWay: 10 * time.Second}
	s.Push.Every, s.Push.To, s.Push.Payload = 50*time.Millisecond, "each", "article"
	change(&s)
	return s
}

// conduct runs a scenario with two workers, which are this test's program.
func conduct(t *testing.T, s Scenario, target *Target) report.Run {
	t.Helper()
	if err := swarm.Supported(); err != nil {
		t.Skip(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	if err := target.complete(); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &conductor{job: job{
		scenario: s, target: target, meant: s.Clients.Sockets, program: program, workers: 2,
		limits: limits{files: 1000, ports: 20_000}, calm: hasty, show: func(progress) {},
	}}
	r, err := c.conduct(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// standFor serves a stand-in for the test.
func standFor(t *testing.T, f stand.Faults) (*stand.Server, *Target) {
	t.Helper()
	server, err := stand.Listen("127.0.0.1:0", f, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return server, &Target{Kind: kindStock, Servers: []string{server.Addr()}, PIDs: []int{os.Getpid()}}
}

func TestAFaithfulServerHasNoProblems(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	r := conduct(t, quick(func(s *Scenario) {
		s.Push.Receipts, s.Churn.PerSecond = true, 0.2
		s.Upstream = UpstreamSection{Every: 500 * time.Millisecond, Bytes: 20, Ack: true}
	}), target)
	m := &r.Messages
	if len(r.Problems) != 0 || m.Pushed < 3 || m.Expected < 200 || m.Lost+m.Duplicates != 0 {
		t.Errorf("%v: %+v", r.Problems, *m)
	}
	if r.Receipts.Sent < m.Expected || r.Receipts.Received != r.Receipts.Sent || r.Upstream.Received != r.Upstream.Sent || r.Upstream.Sent < 20 {
		t.Errorf("%+v, %+v", r.Receipts, r.Upstream)
	}
	if r.Coming.Left == 0 || r.Coming.Connects != r.Coming.Left+200 || r.Connect.Time.Count == 0 || m.Latency.Count != m.Delivered {
		t.Errorf("%+v, %+v", r.Coming, m.Latency)
	}
	if r.Clients.Workers != 2 || r.Memory.Idle == 0 || len(r.Series) == 0 {
		t.Errorf("%+v, %+v", r.Clients, r.Memory)
	}
}

// TestALossyServerIsReported proves the counts of the whole tool: workers,
// conductor and report.
func TestALossyServerIsReported(t *testing.T) {
	server, target := standFor(t, stand.Faults{Lose: 101, Repeat: 211})
	r := conduct(t, quick(func(s *Scenario) { s.Load.Settle = 5 * time.Second }), target) // all of it: what is lost never comes
	m := &r.Messages
	if server.Lost() == 0 || server.Repeated() == 0 || m.Lost != server.Lost() || m.Duplicates != server.Repeated() || m.Expected != m.Pushed*200 || m.Delivered != m.Expected-m.Lost {
		t.Errorf("%+v; the server lost %d and repeated %d", *m, server.Lost(), server.Repeated())
	}
	text := strings.Join(r.Problems, "\n")
	if !strings.Contains(text, "messages were lost") || !strings.Contains(text, "messages came twice") {
		t.Errorf("problems: %s", text)
	}
}

func TestACutIsSurvivedAndTimed(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	r := conduct(t, quick(func(s *Scenario) {
		s.Load.Duration = 8 * time.Second // all have to be back
		s.Cut = CutSection{After: 500 * time.Millisecond, Share: 1}
	}), target)
	if len(r.Problems) != 0 || r.Coming.Left != 200 || r.Coming.Connects != 400 || r.Coming.Recovery <= 0 {
		t.Errorf("%v: %+v", r.Problems, r.Coming)
	}
}

func TestALightLoadComesBeforeAndIsTimedAlone(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	r := conduct(t, quick(func(s *Scenario) {
		s.Clients.First = 0.2
		s.Light = LightSection{Duration: time.Second, PushEvery: 200 * time.Millisecond, UpstreamEvery: 2 * time.Second}
		s.Push.Every = 20 * time.Millisecond
		s.Upstream = UpstreamSection{Every: 200 * time.Millisecond, Ack: true, Gateway: true}
	}), target)
	if len(r.Problems) != 0 || r.Memory.FirstSockets != 40 || r.Memory.First == 0 {
		t.Errorf("%v: %+v", r.Problems, r.Memory)
	}
	light, load := &r.Light, &r.Load
	if light.Delivered == 0 || light.Down.Count != light.Delivered || light.Roundtrip.Count == 0 || load.Down.Count != load.Delivered ||
		light.Delivered+load.Delivered != r.Messages.Delivered || light.Events+load.Events != r.Upstream.Sent || load.Events <= light.Events {
		t.Errorf("%+v, %+v: %+v, %+v", light, load, r.Messages, r.Upstream)
	}
}

func TestSingleSocketsGetWhatIsTheirs(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	r := conduct(t, quick(func(s *Scenario) {
		s.Clients.Documents = 0
		s.Push.To, s.Push.Pushers, s.Push.Every = toSocket, 3, 2*time.Millisecond
	}), target)
	m := &r.Messages
	if len(r.Problems) != 0 || m.Pushed < 10 || m.Expected != m.Pushed || m.Delivered != m.Pushed || m.Foreign != 0 {
		t.Errorf("%v: %+v", r.Problems, *m)
	}
}

func TestAWindowBoundsWhatIsOnItsWay(t *testing.T) {
	_, target := standFor(t, stand.Faults{Lose: 1}) // nothing ever comes
	r := conduct(t, quick(func(s *Scenario) {
		s.Push.To, s.Push.Every, s.Push.Window = toAll, time.Millisecond, 3
		s.Load.Settle = 200 * time.Millisecond
	}), target)
	if r.Messages.Pushed != 3 {
		t.Errorf("%d messages are on their way, and the window is 3", r.Messages.Pushed)
	}
	_, target = standFor(t, stand.Faults{})
	r = conduct(t, quick(func(s *Scenario) {
		s.Push.To, s.Push.Every, s.Push.Window = toAll, time.Millisecond, 3
		s.Load.Duration = 4 * time.Second
	}), target)
	if len(r.Problems) != 0 || r.Messages.Pushed <= 3 || r.PushToAllEvery == 0 {
		t.Errorf("%v: %+v", r.Problems, r.Messages)
	}
}

func TestAServerThatIsNotThereIsAnError(t *testing.T) {
	_, target := standFor(t, stand.Faults{})
	target.PIDs = []int{1 << 30}
	s := quick(func(*Scenario) {})
	if err := target.complete(); err != nil {
		t.Fatal(err)
	}
	c := &conductor{job: job{scenario: s, target: target, show: func(progress) {}}}
	if _, err := c.conduct(t.Context()); err == nil {
		t.Error("a process that does not exist is measured")
	}
}

// TestSmallS2OnSluice runs gateways, API and services as processes of their own.
func TestSmallS2OnSluice(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the programs")
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "sluice/cmd/ws-gateway", "sluice/cmd/ws-api").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"transport.raeder=goroutine,reactor": "has it such a key", "transport.reader=goroutine,nonsense": "transport.reader: ",
		"transport.reader=goroutine,reactor": "",
	} {
		ways, err := variants(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := differ(t.Context(), bin, ways); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	t.Setenv("TMPDIR", t.TempDir()) // the logs of what does not start are left
	began := time.Now()
	_, err = manage(t.Context(), program, bin, launch.Services{}, 1, false, map[string]string{"SLUICE_TRANSPORT_READER": "nonsense"})
	if !errors.Is(err, launch.ErrEnded) || !strings.Contains(err.Error(), "transport.reader") || time.Since(began) > launch.StartTimeout/2 {
		t.Errorf("a setting that a gateway refuses: %v after %v", err, time.Since(began))
	}
	m, err := manage(t.Context(), program, bin, launch.Services{}, 2, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.stop(false); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(m.dir, "api.log")); err == nil {
			t.Error("the folder of a run that went well is left")
		}
	}()
	r := conduct(t, quick(func(s *Scenario) {
		s.Load.Duration, s.Load.Settle = 3*time.Second, 20*time.Second
		s.Push.Every, s.Push.To, s.Push.Receipts = 500*time.Millisecond, "all", true
	}), &m.target)
	if len(r.Problems) != 0 || r.Messages.Pushed < 2 || r.Messages.Expected != r.Messages.Pushed*200 || r.Receipts.Received != r.Messages.Delivered {
		t.Errorf("%v: %+v, %+v", r.Problems, r.Messages, r.Receipts)
	}
	metrics := map[string]float64{}
	for _, p := range r.Servers {
		for name, v := range p.Metrics {
			bare, _, _ := strings.Cut(name, "{")
			metrics[bare] += v
		}
	}
	if metrics["sluice_gateway_delivered_total"] < 200 || metrics["go_goroutines"] == 0 {
		t.Errorf("the servers' metrics: %v", metrics)
	}
}
