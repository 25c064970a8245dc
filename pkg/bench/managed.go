package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"sluice/pkg/bench/launch"
	"sluice/pkg/devcert"
	"sluice/pkg/embedded"
)

// serveServices runs the embedded services in a process of their own, so that
// their memory and CPU are nobody else's, until its input ends.
func serveServices(in io.Reader, out io.Writer) error {
	s, err := embedded.Start(embedded.Options{Partitions: 16})
	if err != nil {
		return err
	}
	err = json.NewEncoder(out).Encode(launch.Services{Kafka: s.Kafka, Redis: s.Redis, Driver: s.Driver, DSN: s.DSN})
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	return errors.Join(err, s.Close())
}

// given are services that run already, named by the variables that the programs
// themselves read.
func given(env func(string) string) (launch.Services, error) {
	s := launch.Services{
		Kafka: commaList(env("SLUICE_KAFKA_BROKERS")), Redis: env("SLUICE_REDIS_ADDR"), Driver: env("SLUICE_REGISTRY_DRIVER"), DSN: env("SLUICE_REGISTRY_DSN"),
	}
	if s.Driver == "" {
		s.Driver = "mysql"
	}
	if len(s.Kafka) == 0 || s.Redis == "" || s.DSN == "" {
		return s, errors.New("-given: needs SLUICE_KAFKA_BROKERS, SLUICE_REDIS_ADDR and SLUICE_REGISTRY_DSN in the environment")
	}
	return s, nil
}

// managed is a Sluice that ws-bench has started for itself.
type managed struct {
	dir      string
	services *exec.Cmd // nil over given ones
	keep     io.Closer // the services' input
	sluice   *launch.Sluice
	target   Target
}

const stopTimeout = 40 * time.Second

// manage starts gateways and an API from the programs in bin, over the services
// back, or over embedded ones in a process of program's.
func manage(ctx context.Context, program, bin string, back launch.Services, gateways int, secure bool, env map[string]string) (*managed, error) {
	m := &managed{}
	m.target = Target{Name: "sluice", Kind: kindSluice, Component: launch.Component, Token: rand.Text(), Secret: rand.Text() + rand.Text()}
	cfg := launch.Options{
		Bin: bin, Services: back, Gateways: gateways, Token: m.target.Token, Secret: m.target.Secret, Env: env,
		Attr: &syscall.SysProcAttr{Setpgid: true}, // Ctrl-C is for the conductor, which tells them
	}
	if err := m.start(ctx, program, cfg, secure); err != nil {
		return nil, errors.Join(err, m.stop(true))
	}
	return m, nil
}

func (m *managed) start(ctx context.Context, program string, cfg launch.Options, secure bool) (err error) {
	for _, name := range []string{"ws-gateway", "ws-api"} {
		if _, err := os.Stat(filepath.Join(cfg.Bin, name)); err != nil {
			return fmt.Errorf("-manage needs the programs (make build): %w", err)
		}
	}
	if m.dir, err = os.MkdirTemp("", "ws-bench-"); err != nil {
		return err
	}
	cfg.Dir = m.dir
	scheme := ""
	if secure {
		scheme = "wss://"
		cert, err := devcert.New(nil, "ws-bench", "127.0.0.1")
		if err == nil {
			cfg.CertFile, cfg.KeyFile, err = devcert.Write(cert, m.dir, "client-port")
		}
		if err != nil {
			return err
		}
		m.target.CAFile = cfg.CertFile
	}
	if cfg.Services.Redis == "" {
		if cfg.Services, err = m.startServices(program); err != nil {
			return fmt.Errorf("services: %w", err)
		}
	}
	if m.sluice, err = launch.Start(ctx, cfg); err != nil {
		return err
	}
	for _, p := range m.sluice.Gateways {
		m.target.Servers = append(m.target.Servers, scheme+p.Address)
		m.target.processes = append(m.target.processes, processOf(p, true))
	}
	m.target.API = m.sluice.API.Address
	m.target.processes = append(m.target.processes, processOf(m.sluice.API, false))
	return m.target.complete()
}

func processOf(p *launch.Program, counted bool) process {
	return process{name: p.Name, pid: p.PID(), counted: counted, metrics: p.Operations + "/metrics"}
}

func (m *managed) startServices(program string) (back launch.Services, err error) {
	cmd := exec.Command(program, servicesCommand) //nolint:noctx // it ends with its input
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return back, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return back, err
	}
	if err := cmd.Start(); err != nil {
		return back, err
	}
	m.keep, m.services = in, cmd
	m.target.processes = append(m.target.processes, process{name: "services", pid: cmd.Process.Pid})
	return back, json.NewDecoder(out).Decode(&back)
}

// stop ends everything in reverse: the services last. What was written is kept
// after a failure.
func (m *managed) stop(failed bool) error {
	var errs []error
	if m.sluice != nil {
		errs = append(errs, m.sluice.Stop(stopTimeout))
	}
	if m.services != nil {
		_ = m.keep.Close() // its end
		kill := time.AfterFunc(stopTimeout, func() { _ = m.services.Process.Kill() })
		if err := m.services.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("services: %w", err))
		}
		kill.Stop()
	}
	err := errors.Join(errs...)
	if m.dir == "" {
		return err
	}
	if err != nil || failed {
		return errors.Join(err, fmt.Errorf("the logs are in %s", m.dir))
	}
	return os.RemoveAll(m.dir)
}
