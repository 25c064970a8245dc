package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/pkg/component"
	"sluice/pkg/embedded"
)

// secret signs the clients' tokens and is what the component and the mesh are
// known by.
var secret = rand.Text() + rand.Text()

// withToken is Socket.IO of clients that are a user each, with a document.
var withToken = func() dialect {
	d := socketIO
	d.hello = func(client int) string {
		claims := fmt.Sprintf(`{"sub":"bench-%d","docs":["bench-*"],"exp":%d}`, client, time.Now().Add(time.Hour).Unix())
		encode := base64.RawURLEncoding.EncodeToString
		token := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(token))
		token += "." + encode(mac.Sum(nil))
		return `40{"token":"` + token + `","documents":["bench-1"]}`
	}
	return d
}()

// product is a gateway, and what it needs: the API in a process of its own, the
// services in this one. Only the gateway is measured.
type product struct {
	dir      string
	services *embedded.Services
	gateway  *exec.Cmd
	api      *exec.Cmd
	clients  string // address of the gateway's port
	governor string // of its operations

	component *component.Client
	received  atomic.Int64
	cancel    context.CancelFunc
	subscribe sync.WaitGroup
}

func startProduct(s *settings, secure bool) (server, error) {
	p := &product{}
	if err := p.start(s, secure); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (p *product) start(s *settings, secure bool) (err error) {
	if p.dir, err = os.MkdirTemp("", "bench-peers-"); err != nil {
		return err
	}
	if p.services, err = embedded.Start(embedded.Options{Partitions: 16}); err != nil {
		return err
	}
	ports, err := freePorts(6)
	if err != nil {
		return err
	}
	p.clients, p.governor = "127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[2]
	env := []string{
		"SLUICE_EDGE_LISTEN=" + p.clients, "SLUICE_SERVER_MESH_PORT=" + ports[1], "SLUICE_SERVER_GOVERNOR_PORT=" + ports[2],
		"SLUICE_GATEWAY_DRAIN_WINDOW=0s", "SLUICE_EDGE_CONNS_PER_SECOND=0", "SLUICE_EDGE_MAX_CONNS_PER_ADDRESS=0",
	}
	if secure {
		env = append(env, "SLUICE_EDGE_CERT_FILE="+s.cert, "SLUICE_EDGE_KEY_FILE="+s.key)
	}
	p.gateway, err = p.program(s, "ws-gateway", "[gateway.address]\nmax_sessions = 0\nnew_per_second = 0\n\n"+
		"[[auth.type]]\nname = \"bench\"\nalgorithms = [\"HS256\"]\nsecret = \""+secret+"\"\n", env...)
	if err != nil {
		return err
	}
	p.api, err = p.program(s, "ws-api", "[[api.component]]\nname = \"bench\"\ntokens = [\""+secret+"\"]\nmethods = [\"*\"]\n"+
		"documents = [\"*\"]\nevents = [\"bench:*\"]\nnamespaces = [\"/\"]\n",
		"SLUICE_SERVER_GRPC_PORT="+ports[3], "SLUICE_SERVER_GOVERNOR_PORT="+ports[4])
	if err != nil {
		return err
	}
	for _, port := range []string{ports[2], ports[4]} {
		if err := until(func() (bool, error) {
			_, err := get("http://127.0.0.1:" + port + "/ready")
			return err == nil, nil
		}, 100*time.Millisecond, "ws-gateway or ws-api"); err != nil {
			return fmt.Errorf("%w: %s", err, p.logs())
		}
	}
	return p.listen("127.0.0.1:" + ports[3])
}

// program starts one of ours with a config file, and more in the environment.
func (p *product) program(s *settings, name, config string, env ...string) (*exec.Cmd, error) {
	base := filepath.Join(p.dir, name)
	if err := os.WriteFile(base+".toml", []byte(config), 0o600); err != nil {
		return nil, err
	}
	logs, err := os.Create(base + ".log")
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	bin, err := filepath.Abs(filepath.Join(s.bin, name))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "-config", base+".toml")
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // its services die with us, too
	cmd.Env = append(os.Environ(),
		"SLUICE_NAME="+name, "SLUICE_KAFKA_BROKERS="+strings.Join(p.services.Kafka, ","),
		"SLUICE_REDIS_ADDR="+p.services.Redis, "SLUICE_REDIS_ALLOW_EVICTION=true",
		"SLUICE_REGISTRY_DRIVER="+p.services.Driver, "SLUICE_REGISTRY_DSN="+p.services.DSN,
		"SLUICE_MESH_TOKEN="+secret, "SLUICE_LOGGER_DEFAULT_LEVEL=warn")
	cmd.Env = append(cmd.Env, env...)
	return cmd, cmd.Start()
}

// logs are the ends of what the programs had to say.
func (p *product) logs() (all []byte) {
	for _, name := range []string{"ws-gateway", "ws-api"} {
		text, err := os.ReadFile(filepath.Join(p.dir, name+".log"))
		if err != nil {
			text = []byte(err.Error())
		}
		all = append(all, "\n"+name+": "...)
		all = append(all, text[max(0, len(text)-1000):]...)
	}
	return all
}

// listen counts what clients send, as their component.
func (p *product) listen(address string) (err error) {
	p.component, err = component.Dial(context.Background(), component.Options{
		Address: address, Component: "bench", Token: secret, Timeout: 20 * time.Second, MaxInFlight: 4096, Workers: 64,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.subscribe.Go(func() {
		_ = p.component.Subscribe(ctx, func(_ context.Context, e *component.Event) error { // what it misses is missed below
			if e.Kind() == component.Message {
				p.received.Add(1)
			}
			return nil
		})
	})
	return nil
}

func (p *product) address() string       { return p.clients }
func (p *product) pid() int              { return p.gateway.Process.Pid }
func (p *product) count() (int64, error) { return p.received.Load(), nil }

// push goes through the API; several through a stream, as they would in volume.
func (p *product) push(times int) error {
	text, err := json.Marshal([]string{strings.Repeat("x", 466)})
	if err != nil {
		return err
	}
	push := component.Push{All: true, Event: "m", Payload: component.Payload{Args: text}}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	if times == 1 {
		_, err := p.component.Push(ctx, push)
		return err
	}
	stream, err := p.component.PushStream(ctx)
	if err != nil {
		return err
	}
	for range times {
		if err := stream.Send(push); err != nil {
			return err
		}
	}
	_, err = stream.Close()
	return err
}

// collect asks for a profile of the heap, before which Go collects, and lets Go
// give back what it has found unused.
func (p *product) collect() error {
	for range 2 {
		if _, err := get(p.governor + "/debug/pprof/heap?gc=1"); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return nil
}

func (p *product) stop() error {
	if p.cancel != nil {
		p.cancel()
		p.subscribe.Wait()
	}
	var err error
	if p.component != nil {
		err = p.component.Close()
	}
	for _, cmd := range []*exec.Cmd{p.gateway, p.api} {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()         // says that it was killed
		}
	}
	if p.services != nil {
		err = errors.Join(err, p.services.Close())
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// freePorts are some of loopback that were free a moment ago.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("free port: %w", err)
		}
		defer l.Close() //nolint:revive // all at once at the end, or one comes twice
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
