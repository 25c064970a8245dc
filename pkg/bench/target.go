package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/pkg/settings"
)

// Target is a server to measure.
type Target struct {
	// Name in the report.
	Name string `toml:"name"`
	// Kind is "sluice" or "socketio", a stock server with the handlers that
	// package stand describes.
	Kind string `toml:"kind"`
	// Servers are host:port of all gateways, with wss:// before all of them for
	// TLS; clients are spread over them.
	Servers []string `toml:"servers"`
	// Path of Engine.IO.
	Path string `toml:"path"`
	// API is host:port of Sluice's gRPC; Component and Token are what it knows
	// the tool by.
	API string `toml:"api"`
	// Component is the name of a component that may push and hears bench:*.
	Component string `toml:"component"`
	// Token of the component.
	Token string `toml:"token"`
	// Secret signs the clients' tokens with HS256: each is a user of its own
	// then. Without one they come without a token.
	Secret string `toml:"secret"`
	// Metrics are the addresses of the servers' metrics, in the order of PIDs.
	Metrics []string `toml:"metrics"`
	// PIDs are the servers' processes, if they run on this machine.
	PIDs []int `toml:"pids"`
	// CAFile is a PEM file with the authority of the servers' certificate, for
	// TLS. Default: the system's.
	CAFile string `toml:"ca_file"`
	// Insecure takes any certificate.
	Insecure bool `toml:"insecure"`
	// Sources are the addresses that clients connect from. Default: as many of
	// 127.0.0.0/8 as are needed, for servers there.
	Sources []string `toml:"sources"`

	secure    bool      // the servers speak TLS
	processes []process // the target's, when they are ours
}

// process is one of a server's.
type process struct {
	name    string
	pid     int
	metrics string
	counted bool // holds clients: its memory and CPU are the server's
}

// targetFile is a file with targets.
type targetFile struct {
	Targets []Target `toml:"target"`
}

// Kinds of targets.
const (
	kindSluice = "sluice"
	kindStock  = "socketio"
)

// LoadTargets reads a file with [[target]] tables.
func LoadTargets(file string) ([]Target, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f targetFile
	if err := decode(text, &f); err != nil {
		return nil, problem(file, err)
	}
	if len(f.Targets) == 0 {
		return nil, problem(file, errors.New("target: there is none"))
	}
	var errs []error
	for i := range f.Targets {
		if err := f.Targets[i].complete(); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				errs = append(errs, fmt.Errorf("target %d: %s", i+1, line))
			}
		}
	}
	return f.Targets, problem(file, errors.Join(errs...))
}

// decode fills to, a pointer to a struct, from a file's text.
func decode(text []byte, to any) error {
	tree, err := settings.Parse(text)
	if err != nil {
		return err
	}
	return settings.Fill(to, tree)
}

// problem lists what is wrong with a file, a line each.
func problem(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s:\n  %s", file, strings.Join(settings.Problems(err), "\n  "))
}

// complete sets what is not said and returns everything that is wrong.
func (t *Target) complete() error {
	var errs []error
	want := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New(text))
		}
	}
	if t.Kind == "" {
		t.Kind = kindSluice
	}
	if t.Path == "" {
		t.Path = "/socket.io/"
	}
	if t.Name == "" {
		t.Name = t.Kind
	}
	want(slices.Contains([]string{kindSluice, kindStock}, t.Kind), "kind: must be sluice or socketio")
	want(len(t.Servers) > 0, "servers: at least one is needed")
	plain := 0
	for i, s := range t.Servers {
		address, tls := strings.CutPrefix(strings.Replace(s, "https://", "wss://", 1), "wss://")
		if t.secure = t.secure || tls; !tls {
			plain++
		}
		address = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(address, "ws://"), "http://"), "/")
		_, _, err := net.SplitHostPort(address)
		want(err == nil, fmt.Sprintf("servers: %q is no host:port", s))
		t.Servers[i] = address
	}
	want(!t.secure || plain == 0 || plain == len(t.Servers), "servers: all with wss://, or none")
	want(strings.HasPrefix(t.Path, "/"), "path: must begin with /")
	for _, key := range []struct{ name, value string }{{"api", t.API}, {"component", t.Component}, {"token", t.Token}} {
		want(t.Kind != kindSluice || key.value != "", key.name+": is needed for sluice")
	}
	want(len(t.Metrics) == 0 || len(t.PIDs) == 0 || len(t.Metrics) == len(t.PIDs), "metrics: must be as many as pids")
	for _, s := range t.Sources {
		_, err := netip.ParseAddr(s)
		want(err == nil, fmt.Sprintf("sources: %q is no address", s))
	}
	return errors.Join(errs...)
}

// all are the target's processes.
func (t *Target) all() []process {
	all := slices.Clone(t.processes)
	for i := range max(len(t.PIDs), len(t.Metrics)) {
		p := process{name: fmt.Sprintf("server %d", i+1), counted: true}
		if i < len(t.PIDs) {
			p.pid = t.PIDs[i]
		}
		if i < len(t.Metrics) {
			p.metrics = t.Metrics[i]
		}
		all = append(all, p)
	}
	return all
}

// addresses resolves the servers.
func (t *Target) addresses() ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	for _, s := range t.Servers {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			return nil, err
		}
		ap := a.AddrPort()
		all = append(all, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
	}
	return all, nil
}

// reachTimeout is how long a server may take to accept a connection.
const reachTimeout = 5 * time.Second

// reach says which servers do not even accept a connection.
func (t *Target) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	all := t.Servers
	if t.Kind == kindSluice {
		all = append(slices.Clip(all), t.API)
	}
	var errs []error
	for _, address := range all {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s cannot be reached: %w", address, err))
			continue
		}
		_ = conn.Close() // it served its purpose
	}
	return errors.Join(errs...)
}

// options of TLS; nil when the target does without.
func (t *Target) options() *secureOptions {
	if !t.secure {
		return nil
	}
	name, _, _ := net.SplitHostPort(t.Servers[0]) // complete has looked
	return &secureOptions{Name: name, CAFile: t.CAFile, Insecure: t.Insecure}
}
