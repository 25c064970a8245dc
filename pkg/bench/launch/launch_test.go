package launch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripts are programs in a new folder.
func scripts(t *testing.T, text map[string]string) Options {
	t.Helper()
	o := Options{Bin: t.TempDir(), Dir: t.TempDir(), Gateways: 2}
	for name, lines := range text {
		if err := os.WriteFile(filepath.Join(o.Bin, name), []byte("#!/bin/sh\n"+lines), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestAProgramThatEndsIsNotWaitedFor(t *testing.T) {
	o := scripts(t, map[string]string{"ws-api": "echo the port is taken; exit 1\n"})
	o.Gateways = 0
	began := time.Now()
	_, err := Start(t.Context(), o)
	if !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "api: ") || !strings.HasSuffix(err.Error(), "the port is taken") {
		t.Errorf("%v", err)
	}
	if since := time.Since(began); since > StartTimeout/2 {
		t.Errorf("it took %v", since)
	}
}

func TestNobodyIsLeftWhenAProgramIsMissing(t *testing.T) {
	o := scripts(t, map[string]string{"ws-gateway": "exec sleep 300\n"})
	if _, err := Start(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	} // goleak sees who waits for one
}

func TestStopNamesWhoHadToBeKilled(t *testing.T) {
	o := scripts(t, map[string]string{"ws-gateway": "exec sleep 300\n", "ws-api": "trap '' TERM; echo deaf >>heard; while :; do sleep 1; done\n"})
	s := &Sluice{options: o}
	if err := errors.Join(s.startGateway(1), s.startAPI()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(o.Dir, "heard")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	err := s.Stop(50 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "api: signal: killed") || !strings.Contains(err.Error(), "gateway 1: signal: terminated") {
		t.Errorf("%v", err)
	}
}

func TestNoPortIsGivenTwice(t *testing.T) {
	seen := map[string]bool{}
	for range 300 {
		ports, err := freePorts(2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ports {
			if seen[p] {
				t.Fatalf("%s comes twice", p)
			}
			seen[p] = true
		}
	}
}
