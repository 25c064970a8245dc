package app

import (
	"context"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/constant"
	"github.com/gotomicro/ego/core/elog"
	"github.com/gotomicro/ego/server"
)

// program is what differs between the services.
type program interface {
	// up starts everything and returns when the program is ready. It waits for
	// dependencies until ctx ends; then it returns an error, and down follows.
	up(ctx context.Context, failed chan<- error) error
	// down leaves in order, whatever up has come to. It is called once.
	down(ctx context.Context)
}

// service is one program as EGO sees it: one server. EGO stops its servers all
// at once and does not wait when one fails, so the order is kept in here.
type service struct {
	name    string
	program program
	log     *elog.Component
	timeout time.Duration // for leaving
	pace    *pacer        // of the garbage collector; nil: as it is

	once     sync.Once
	stopping chan struct{} // closed when the process is to leave
	ended    chan struct{} // closed when it has left
}

func newService(name string, p program, timeout time.Duration, log *elog.Component) *service {
	return &service{
		name: name, program: p, timeout: timeout, log: log,
		stopping: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Start lives the whole life of the program. An error means that it could not
// go on, and ends the process.
func (s *service) Start() error {
	defer close(s.ended)
	ctx, cancel := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	if s.pace != nil {
		beside.Go(func() { s.pace.run(ctx, s.log) })
	}
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	failed := make(chan error, 1)
	start := time.Now()
	err := s.program.up(ctx, failed)
	switch {
	case err == nil:
		s.log.Info("ready", elog.String("service", s.name), elog.Duration("after", time.Since(start).Round(time.Millisecond)))
		select {
		case <-s.stopping:
		case err = <-failed:
		}
	case ctx.Err() != nil:
		err = nil // told to leave before it was ready
	}
	if err != nil {
		s.log.Error("cannot go on", elog.String("service", s.name), elog.FieldErr(err))
	}
	bounded, done := context.WithTimeout(context.Background(), s.timeout)
	defer done()
	s.program.down(bounded)
	s.log.Info("left", elog.String("service", s.name), elog.FieldErr(bounded.Err()))
	return err
}

// GracefulStop makes the program leave and waits until it has left.
func (s *service) GracefulStop(context.Context) error {
	s.once.Do(func() { close(s.stopping) })
	<-s.ended // bounded by the timeout for leaving
	return nil
}

// Stop is GracefulStop: leaving in order is what stopping means here.
func (s *service) Stop() error { return s.GracefulStop(context.Background()) }

// Name is the service's name in EGO's logs.
func (s *service) Name() string { return s.name }

// PackageName is the component's name in EGO's logs.
func (s *service) PackageName() string { return "sluice" }

// Init has nothing to do: EGO ignores its error, so all that can fail is done
// in Start.
func (s *service) Init() error { return nil }

// Info describes the service to EGO's registry.
func (s *service) Info() *server.ServiceInfo {
	info := server.ApplyOptions(server.WithScheme("ws"), server.WithKind(constant.ServiceProvider))
	return &info
}
