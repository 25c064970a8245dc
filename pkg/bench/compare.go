package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// variant is one way to set up what is managed.
type variant struct {
	name string // "" if there is only one way
	env  map[string]string
}

// variants reads key=value,value: a key of the gateways' configuration and its
// values. Nothing is one variant that sets nothing.
func variants(text string) ([]variant, error) {
	if text == "" {
		return []variant{{}}, nil
	}
	key, values, found := strings.Cut(text, "=")
	all := commaList(values)
	if !found || key == "" || len(all) < 2 {
		return nil, fmt.Errorf("-compare: %q is not key=value,value, such as transport.reader=goroutine,reactor", text)
	}
	name := "SLUICE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	short := key[strings.LastIndexByte(key, '.')+1:]
	var ways []variant
	for _, v := range all {
		ways = append(ways, variant{name: short + "=" + v, env: map[string]string{name: v}})
	}
	return ways, nil
}

// differ asks the gateway's program what it makes of each way: a key that it does
// not have would compare nothing, and a value that it refuses would be seen when
// the others have been measured.
func differ(ctx context.Context, bin string, ways []variant) error {
	if len(ways) < 2 {
		return nil
	}
	seen := map[string]string{}
	for _, way := range ways {
		check := exec.CommandContext(ctx, filepath.Join(bin, "ws-gateway"), "-check", "-config", os.DevNull)
		check.Env = append(os.Environ(), // what it needs, and does not connect to
			"SLUICE_KAFKA_BROKERS=127.0.0.1:1", "SLUICE_REDIS_ADDR=127.0.0.1:1", "SLUICE_REGISTRY_DRIVER=mysql", "SLUICE_REGISTRY_DSN=none@tcp(127.0.0.1:1)/none",
			"SLUICE_MESH_TOKEN="+strings.Repeat("x", 32), "SLUICE_AUTH_ANONYMOUS=true")
		for key, value := range way.env {
			check.Env = append(check.Env, key+"="+value)
		}
		var said bytes.Buffer
		check.Stderr = &said
		config, err := check.Output()
		if err != nil {
			return fmt.Errorf("-compare: ws-gateway does not take %s: %w: %s", way.name, err, bytes.TrimSpace(said.Bytes()))
		}
		if other, found := seen[string(config)]; found {
			return fmt.Errorf("-compare: %s is the same to ws-gateway as %s: has it such a key?", way.name, other)
		}
		seen[string(config)] = way.name
	}
	return nil
}

// alone is a scenario without its slow readers, for those that want it beside.
func (s *Scenario) alone() (Scenario, bool) {
	if !s.Slow.Beside || s.Slow.Share == 0 {
		return Scenario{}, false
	}
	others := *s
	others.beside = "everybody reads"
	others.Clients.Sockets -= int(s.Slow.Share*float64(s.Clients.Sockets) + 0.5)
	others.Slow = SlowSection{}
	return others, true
}
