package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// parrot is a server that has got a message the third time that it is asked.
type parrot struct{ asked int }

func (p *parrot) address() string { return "" }
func (p *parrot) pid() int        { return os.Getpid() }
func (p *parrot) push(int) error  { return nil }
func (p *parrot) collect() error  { return nil }
func (p *parrot) stop() error     { return nil }
func (p *parrot) count() (int64, error) {
	p.asked++
	return int64(p.asked / 3 * 10), nil
}

func TestCostIsOfTheProcessForEachUnit(t *testing.T) {
	if _, err := cpu(os.Getpid()); err != nil {
		t.Skip(err)
	}
	m := &measuring{server: &parrot{}, fleet: &fleet{}, figures: figures{}}
	err := m.cost("work", 1000, func() error {
		before, err := cpu(os.Getpid())
		for now := before; err == nil && now-before < .05; {
			now, err = cpu(os.Getpid())
		}
		return err
	})
	if c := m.figures["work"]; err != nil || c < 50 || c > 5000 {
		t.Errorf("50 ms for 1,000 are %v us each, %v", c, err)
	}
	failed := errors.New("failed")
	if err := m.cost("work", 1, func() error { return failed }); !errors.Is(err, failed) || !strings.Contains(err.Error(), "work") {
		t.Errorf("%v", err)
	}
}

func TestItWaitsForWhatTheServerGot(t *testing.T) {
	p := &parrot{}
	m := &measuring{server: p, fleet: &fleet{}, figures: figures{}}
	if err := m.received(10, func() error { return nil }); err != nil || p.asked != 3 {
		t.Errorf("asked %d times: %v", p.asked, err)
	}
}

func TestALostConnectionEndsTheWait(t *testing.T) {
	f := &fleet{}
	f.got.Store(4)
	if err := f.wait(4); err != nil {
		t.Errorf("all are there: %v", err)
	}
	f.lost.Store(2)
	began := time.Now()
	if err := f.wait(5); err == nil || !strings.Contains(err.Error(), "2 connections") || time.Since(began) > sendTimeout/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestMemoryIsThatOfTheProcess(t *testing.T) {
	n, err := resident(os.Getpid())
	if os.IsNotExist(err) {
		t.Skip(err)
	}
	if err != nil || n < 1<<20 || n > 1<<34 {
		t.Errorf("%.0f bytes, %v", n, err)
	}
	for _, f := range []func(int) (float64, error){cpu, resident} {
		if v, err := f(1 << 30); err == nil {
			t.Errorf("a process that there is not has %v", v)
		}
	}
}
