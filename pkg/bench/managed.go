package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/pkg/embedded"
)

// services are the addresses of what the programs need.
type services struct {
	Kafka  []string `json:"kafka"`
	Redis  string   `json:"redis"`
	Driver string   `json:"driver"`
	DSN    string   `json:"dsn"`
}

// serveServices runs the embedded services in a process of their own, so that
// their memory and CPU are nobody else's, until its input ends.
func serveServices(in io.Reader, out io.Writer) error {
	s, err := embedded.Start(embedded.Options{Partitions: 16})
	if err != nil {
		return err
	}
	err = json.NewEncoder(out).Encode(services{s.Kafka, s.Redis, s.Driver, s.DSN})
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	return errors.Join(err, s.Close())
}

// given are services that run already, named by the variables that the programs
// themselves read.
func given(env func(string) string) (services, error) {
	s := services{
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
	program  string
	bin      string
	scheme   string            // before the gateways' addresses
	env      map[string]string // more for the gateways
	back     services
	keep     io.Closer // the services' input
	children []*exec.Cmd
	target   Target
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 40 * time.Second
)

// manage starts gateways and an API from the programs in bin, over the services
// back, or over embedded ones in a process of program's.
func manage(ctx context.Context, program, bin string, back services, gateways int, secure bool, env map[string]string) (*managed, error) {
	m := &managed{program: program, bin: bin, back: back, env: env}
	m.target = Target{Name: "sluice", Kind: kindSluice, Component: "bench", Token: rand.Text(), Secret: rand.Text() + rand.Text()}
	if secure {
		m.scheme = "wss://"
	}
	if err := m.start(ctx, gateways); err != nil {
		return nil, errors.Join(err, m.stop())
	}
	return m, nil
}

func (m *managed) start(ctx context.Context, gateways int) (err error) {
	for _, name := range []string{"ws-gateway", "ws-api"} {
		if _, err := os.Stat(filepath.Join(m.bin, name)); err != nil {
			return fmt.Errorf("-manage needs the programs (make build): %w", err)
		}
	}
	if m.dir, err = os.MkdirTemp("", "ws-bench-"); err != nil {
		return err
	}
	if m.scheme != "" {
		m.target.CAFile = filepath.Join(m.dir, "cert.pem")
		if err := writeCertificate(m.target.CAFile, filepath.Join(m.dir, "key.pem")); err != nil {
			return err
		}
	}
	if m.back.Redis == "" {
		if err := m.startServices(); err != nil {
			return fmt.Errorf("services: %w", err)
		}
	}
	for i := range gateways {
		if err := m.startGateway(i + 1); err != nil {
			return err
		}
	}
	if err := m.startAPI(); err != nil {
		return err
	}
	for _, p := range m.target.processes {
		if p.metrics == "" {
			continue
		}
		if err := ready(ctx, strings.TrimSuffix(p.metrics, "/metrics")+"/ready", p.pid); err != nil {
			return fmt.Errorf("%s: %w: %s", p.name, err, m.lastWords(p.name))
		}
	}
	return m.target.complete()
}

func (m *managed) startServices() error {
	cmd := exec.Command(m.program, servicesCommand) //nolint:noctx // it ends with its input
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.keep, m.children = in, append(m.children, cmd)
	m.target.processes = append(m.target.processes, process{name: "services", pid: cmd.Process.Pid})
	return json.NewDecoder(out).Decode(&m.back)
}

// shared is what all programs are told.
func (m *managed) shared() map[string]string {
	return map[string]string{
		"SLUICE_KAFKA_BROKERS": strings.Join(m.back.Kafka, ","), "SLUICE_REDIS_ADDR": m.back.Redis, "SLUICE_REDIS_ALLOW_EVICTION": "true",
		"SLUICE_REGISTRY_DRIVER": m.back.Driver, "SLUICE_REGISTRY_DSN": m.back.DSN, "SLUICE_MESH_TOKEN": m.target.Token,
		"SLUICE_LOGGER_DEFAULT_LEVEL": "warn",
	}
}

func (m *managed) startGateway(n int) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	m.target.Servers = append(m.target.Servers, m.scheme+address)
	config := fmt.Sprintf("[gateway.address]\nmax_sessions = 0\nnew_per_second = 0\n\n[[auth.type]]\nname = \"bench\"\nalgorithms = [\"HS256\"]\nsecret = %q\n",
		m.target.Secret)
	keyFile := ""
	if m.target.CAFile != "" {
		keyFile = filepath.Join(m.dir, "key.pem")
	}
	env := map[string]string{
		"SLUICE_EDGE_CERT_FILE": m.target.CAFile, "SLUICE_EDGE_KEY_FILE": keyFile,
		"SLUICE_EDGE_LISTEN": address, "SLUICE_SERVER_MESH_PORT": anyPort, "SLUICE_GATEWAY_DRAIN_WINDOW": "0s", "SLUICE_STOP_TIMEOUT": "20s",
		"SLUICE_EDGE_CONNS_PER_SECOND": "0", "SLUICE_EDGE_MAX_CONNS_PER_ADDRESS": "0",
	}
	maps.Copy(env, m.env)
	return m.startProgram("ws-gateway", fmt.Sprintf("gateway %d", n), config, true, env)
}

func (m *managed) startAPI() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	m.target.API = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	config := fmt.Sprintf("[[api.component]]\nname = \"bench\"\ntokens = [%q]\nmethods = [\"*\"]\ndocuments = [\"*\"]\nevents = [\"bench:*\"]\nnamespaces = [\"/\"]\n",
		m.target.Token)
	return m.startProgram("ws-api", "api", config, false, map[string]string{"SLUICE_SERVER_GRPC_PORT": strconv.Itoa(port)})
}

// anyPort stands for one that is chosen.
const anyPort = "any"

// startProgram starts one with a config file and more in the environment.
func (m *managed) startProgram(bin, name, config string, counted bool, env map[string]string) error {
	base := m.base(name)
	if err := os.WriteFile(base+".toml", []byte(config), 0o600); err != nil {
		return err
	}
	log, err := os.Create(base + ".log")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the program has its own
	governor, err := freePort()
	if err != nil {
		return err
	}
	all := m.shared()
	maps.Copy(all, env)
	all["SLUICE_NAME"], all["SLUICE_SERVER_GOVERNOR_PORT"] = strings.ReplaceAll(name, " ", "-"), strconv.Itoa(governor)
	cmd := exec.Command(filepath.Join(m.bin, bin), "-config", base+".toml") //nolint:noctx // it is told to leave
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = m.dir, log, log, os.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the conductor, which tells them
	for key, value := range all {
		if value == anyPort {
			port, err := freePort()
			if err != nil {
				return err
			}
			value = strconv.Itoa(port)
		}
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.children = append(m.children, cmd)
	m.target.processes = append(m.target.processes, process{
		name: name, pid: cmd.Process.Pid, counted: counted, metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", governor),
	})
	return nil
}

// stop ends everything in reverse: the services last.
func (m *managed) stop() error {
	var errs []error
	for i := len(m.children) - 1; i >= 0; i-- {
		cmd := m.children[i]
		if i == 0 && m.keep != nil {
			_ = m.keep.Close() // its end
		} else {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		}
		kill := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() }) // it may just have ended
		if err := cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err))
		}
		kill.Stop()
	}
	if len(errs) == 0 && m.dir != "" {
		return os.RemoveAll(m.dir)
	}
	if m.dir != "" {
		errs = append(errs, fmt.Errorf("the logs are in %s", m.dir))
	}
	return errors.Join(errs...)
}

// lastWords are the end of a program's log.
func (m *managed) lastWords(name string) string {
	const enough = 2000
	text, err := os.ReadFile(m.base(name) + ".log")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}

// base is the path of a program's files, without the end.
func (m *managed) base(name string) string {
	return filepath.Join(m.dir, strings.ReplaceAll(name, " ", "-"))
}

// errGone means that a program ended instead of getting ready.
var errGone = errors.New("it has ended")

// ready waits until the operations port of a program's process says so.
func ready(ctx context.Context, address string, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		answer, err := fetch(ctx, address)
		if err == nil {
			_ = answer.Body.Close() // nothing is read
			return nil
		}
		if _, gone := statusField(pid, "VmRSS"); gone != nil { // one that ended has no memory
			return errGone
		}
		if sleep(ctx, look); ctx.Err() != nil {
			return fmt.Errorf("not ready within %v: %w", startTimeout, err)
		}
	}
}

// chosen are the ports that freePort has returned: who got one may not listen yet.
var chosen sync.Map

// freePort is one of loopback that was free a moment ago, below those that the
// system gives to connections.
func freePort() (int, error) {
	for range 100 {
		b := make([]byte, 2)
		if _, err := rand.Read(b); err != nil {
			return 0, err
		}
		port := 20_000 + (int(b[0])<<8|int(b[1]))%12_000
		if _, again := chosen.LoadOrStore(port, true); again {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close() // it served its purpose
		return port, nil
	}
	return 0, errors.New("no free port")
}
