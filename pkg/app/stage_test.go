package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAStageEndsAsOneAndTellsWhoFailed(t *testing.T) {
	failed := make(chan error, 1)
	s := newStage(failed)
	broken := errors.New("broken")
	s.run("good", func(ctx context.Context) error { <-ctx.Done(); return nil })
	s.run("bad", func(context.Context) error { return broken })
	if err := <-failed; !errors.Is(err, broken) || err.Error() != "bad: broken" {
		t.Errorf("told %v", err)
	}
	s.run("ends", func(context.Context) error { return nil })
	if err := <-failed; err == nil {
		t.Error("a part that ends by itself is not told")
	}
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStoppingAStageIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(make(chan error, 1))
		release := make(chan struct{})
		s.run("stubborn", func(context.Context) error { <-release; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopped with %v", err)
		}
		close(release)
	})
}

func TestADependencyIsTriedUntilItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := until(t.Context(), quiet(), "it", func(context.Context) error {
			if tries++; tries < 20 {
				return errors.New("away")
			}
			return nil
		})
		if err != nil || tries != 20 {
			t.Errorf("%d tries, %v", tries, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		away := errors.New("away")
		if err := until(ctx, quiet(), "it", func(context.Context) error { return away }); !errors.Is(err, away) {
			t.Errorf("given up with %v", err)
		}
	})
}

// fakeProgram is up at once, and records its life.
type fakeProgram struct {
	upErr  error
	failed chan<- error
	downs  int
}

func (p *fakeProgram) up(ctx context.Context, failed chan<- error) error {
	p.failed = failed
	if p.upErr != nil {
		return p.upErr
	}
	return nil
}

func (p *fakeProgram) down(context.Context) { p.downs++ }

func TestAServiceLeavesInOrderHoweverItEnds(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		program *fakeProgram
		end     func(*service, *fakeProgram)
		want    error
	}{
		"asked to stop":  {&fakeProgram{}, func(s *service, _ *fakeProgram) { _ = s.GracefulStop(context.Background()) }, nil},
		"a part failed":  {&fakeProgram{}, func(_ *service, p *fakeProgram) { p.failed <- broken }, broken},
		"never came up":  {&fakeProgram{upErr: broken}, func(*service, *fakeProgram) {}, broken},
		"stopped by EGO": {&fakeProgram{}, func(s *service, _ *fakeProgram) { _ = s.Stop() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService("x", c.program, time.Second, quiet())
				ended := make(chan error, 1)
				go func() { ended <- s.Start() }()
				synctest.Wait()
				c.end(s, c.program)
				if err := <-ended; !errors.Is(err, c.want) {
					t.Errorf("ended with %v", err)
				}
				if c.program.downs != 1 {
					t.Errorf("left %d times", c.program.downs)
				}
			})
		})
	}
}
