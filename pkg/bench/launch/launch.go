// Package launch starts gateways and an API as processes of their own on this
// machine, for those who measure them. Their clients all come from one address,
// so the limits of an address are off.
package launch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Component is the name of the one component that they know: it may do all, and
// hears bench:*.
const Component = "bench"

// Services are the addresses of what the programs need.
type Services struct {
	Kafka  []string `json:"kafka"`
	Redis  string   `json:"redis"`
	Driver string   `json:"driver"`
	DSN    string   `json:"dsn"`
}

// Options are what to start.
type Options struct {
	Bin      string // folder of ws-gateway and ws-api
	Dir      string // folder for their configurations and logs
	Services Services
	Gateways int
	Token    string // of the component, and of the mesh
	Secret   string // signs the clients' tokens, see AppendToken
	CertFile string // with it the gateways speak TLS
	KeyFile  string
	Env      map[string]string    // more for the gateways
	Attr     *syscall.SysProcAttr // of the processes
}

// Sluice is what runs.
type Sluice struct {
	Gateways []*Program
	API      *Program

	options Options
}

// Start returns when all are ready. If one is not, all are ended; the error ends
// with its last words.
func Start(ctx context.Context, o Options) (*Sluice, error) {
	s := &Sluice{options: o}
	if err := s.start(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

func (s *Sluice) start(ctx context.Context) error {
	for i := range s.options.Gateways {
		if err := s.startGateway(i + 1); err != nil {
			return err
		}
	}
	if err := s.startAPI(); err != nil {
		return err
	}
	for _, p := range s.programs() {
		if err := p.ready(ctx); err != nil {
			return fmt.Errorf("%s: %w: %s", p.Name, err, p.lastWords())
		}
	}
	return nil
}

func (s *Sluice) startGateway(n int) error {
	const config = `[gateway.address]
max_sessions = 0
new_per_second = 0

[[auth.type]]
name = %q
algorithms = ["HS256"]
secret = %q
`
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + ports[0]
	env := map[string]string{
		"SLUICE_EDGE_CERT_FILE": s.options.CertFile, "SLUICE_EDGE_KEY_FILE": s.options.KeyFile,
		"SLUICE_EDGE_LISTEN": address, "SLUICE_SERVER_MESH_PORT": ports[1], "SLUICE_GATEWAY_DRAIN_WINDOW": "0s", "SLUICE_STOP_TIMEOUT": "20s",
		"SLUICE_EDGE_CONNS_PER_SECOND": "0", "SLUICE_EDGE_MAX_CONNS_PER_ADDRESS": "0",
	}
	maps.Copy(env, s.options.Env)
	p, err := s.program("ws-gateway", fmt.Sprintf("gateway %d", n), fmt.Sprintf(config, Component, s.options.Secret), env)
	if err == nil {
		p.Address = address
		s.Gateways = append(s.Gateways, p)
	}
	return err
}

func (s *Sluice) startAPI() error {
	const config = `[[api.component]]
name = %q
tokens = [%q]
methods = ["*"]
documents = ["*"]
events = ["bench:*"]
namespaces = ["/"]
`
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	p, err := s.program("ws-api", "api", fmt.Sprintf(config, Component, s.options.Token), map[string]string{"SLUICE_SERVER_GRPC_PORT": ports[0]})
	if err == nil {
		p.Address = "127.0.0.1:" + ports[0]
		s.API = p
	}
	return err
}

// program starts one with a config file and more in the environment.
func (s *Sluice) program(bin, name, config string, env map[string]string) (*Program, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"SLUICE_NAME":          strings.ReplaceAll(name, " ", "-"),
		"SLUICE_KAFKA_BROKERS": strings.Join(s.options.Services.Kafka, ","), "SLUICE_REDIS_ADDR": s.options.Services.Redis, "SLUICE_REDIS_ALLOW_EVICTION": "true",
		"SLUICE_REGISTRY_DRIVER": s.options.Services.Driver, "SLUICE_REGISTRY_DSN": s.options.Services.DSN, "SLUICE_MESH_TOKEN": s.options.Token,
		"SLUICE_LOGGER_DEFAULT_LEVEL": "warn", "SLUICE_SERVER_GOVERNOR_PORT": ports[0],
	}
	maps.Copy(all, env)
	p := &Program{Name: name, Operations: "http://127.0.0.1:" + ports[0], base: filepath.Join(s.options.Dir, all["SLUICE_NAME"])}
	if err := os.WriteFile(p.base+".toml", []byte(config), 0o600); err != nil {
		return nil, err
	}
	return p, p.start(filepath.Join(s.options.Bin, bin), all, s.options.Attr)
}

// programs are those that were started, in that order.
func (s *Sluice) programs() []*Program {
	all := slices.Clone(s.Gateways)
	if s.API != nil {
		all = append(all, s.API)
	}
	return all
}

// Stop tells them to leave, the API first, and kills who takes longer than grace.
// The error names those that did not leave in order.
func (s *Sluice) Stop(grace time.Duration) error {
	var errs []error
	for _, p := range slices.Backward(s.programs()) {
		errs = append(errs, p.stop(grace))
	}
	return errors.Join(errs...)
}

// Kill ends them at once.
func (s *Sluice) Kill() {
	for _, p := range s.programs() {
		p.kill()
	}
}
