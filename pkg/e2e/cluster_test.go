package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sluice/pkg/component"
)

const (
	jwtSecret      = "e2e-secret-of-32-bytes-or-a-bit-more"
	componentToken = "e2e-component-token"
)

// cluster is gateways and APIs of one company.
type cluster struct {
	t        *testing.T
	back     *backing
	dir      string
	gateways []*gatewayProcess
	apis     []*apiProcess
	balancer *balancer
}

type gatewayProcess struct {
	*process
	name     string
	address  string
	governor string
	env      map[string]string
}

type apiProcess struct {
	*process
	address  string
	governor string
}

// newCluster starts the programs from their own processes and waits until they
// are ready.
func newCluster(t *testing.T, gateways, apis int) *cluster {
	t.Helper()
	return newClusterOf(t, gatewayTOML, apiTOML, gateways, apis)
}

// newClusterOf is newCluster with other configurations.
func newClusterOf(t *testing.T, gatewayFile, apiFile string, gateways, apis int) *cluster {
	t.Helper()
	c := &cluster{t: t, back: newBacking(t), dir: t.TempDir()}
	c.write("gateway.toml", gatewayFile)
	c.write("api.toml", apiFile)
	for i := range gateways {
		c.gateways = append(c.gateways, c.startGateway(fmt.Sprintf("gateway-%d", i+1)))
	}
	for i := range apis {
		c.apis = append(c.apis, c.startAPI(fmt.Sprintf("api-%d", i+1)))
	}
	for _, g := range c.gateways {
		g.ready(g.governor, time.Minute)
	}
	for _, a := range c.apis {
		a.ready(a.governor, time.Minute)
	}
	c.balancer = newBalancer(t, c.addresses()...)
	return c
}

func (c *cluster) addresses() []string {
	var all []string
	for _, g := range c.gateways {
		all = append(all, g.address)
	}
	return all
}

func (c *cluster) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// shared is what all programs of the cluster are told of the services.
func (c *cluster) shared() map[string]string {
	b := c.back
	return map[string]string{
		"SLUICE_KAFKA_BROKERS":    strings.Join(b.kafka, ","),
		"SLUICE_KAFKA_UP_TOPIC":   b.prefix + ".up",
		"SLUICE_KAFKA_DOWN_TOPIC": b.prefix + ".down",
		"SLUICE_KAFKA_PARTITIONS": "4",
		"SLUICE_REDIS_ADDR":       b.redis,
		"SLUICE_SESSION_PREFIX":   b.prefix,
		"SLUICE_STREAM_PREFIX":    b.prefix,
		"SLUICE_REGISTRY_DRIVER":  b.driver,
		"SLUICE_REGISTRY_DSN":     b.dsn,
		"SLUICE_MESH_TOKEN":       "e2e-mesh-token-0123456789",
		// On a busy machine Kafka may take its time, and what it takes too long for
		// is refused.
		"SLUICE_KAFKA_PRODUCER_WRITE_TIMEOUT": "10s",
		"SLUICE_KAFKA_PRODUCER_MAX_AGE":       "30s",
	}
}

func (c *cluster) startGateway(name string) *gatewayProcess {
	c.t.Helper()
	port, governor, mesh := freePort(c.t), freePort(c.t), freePort(c.t)
	env := c.shared()
	maps.Copy(env, map[string]string{
		"SLUICE_NAME":                 name,
		"SLUICE_EDGE_LISTEN":          fmt.Sprintf("127.0.0.1:%d", port),
		"SLUICE_SERVER_GOVERNOR_PORT": strconv.Itoa(governor),
		"SLUICE_SERVER_MESH_PORT":     strconv.Itoa(mesh),
	})
	g := &gatewayProcess{
		name: name, address: fmt.Sprintf("127.0.0.1:%d", port), governor: fmt.Sprintf("127.0.0.1:%d", governor), env: env,
	}
	g.process = start(c.t, name, program(c.t, "ws-gateway"), filepath.Join(c.dir, "gateway.toml"), env)
	return g
}

// restart starts a gateway again under its name and on its ports.
func (c *cluster) restart(g *gatewayProcess) {
	c.t.Helper()
	g.process = start(c.t, g.name, program(c.t, "ws-gateway"), filepath.Join(c.dir, "gateway.toml"), g.env)
	g.ready(g.governor, time.Minute)
}

func (c *cluster) startAPI(name string) *apiProcess {
	c.t.Helper()
	port, governor := freePort(c.t), freePort(c.t)
	env := c.shared()
	maps.Copy(env, map[string]string{
		"SLUICE_NAME":                 name,
		"SLUICE_SERVER_GRPC_PORT":     strconv.Itoa(port),
		"SLUICE_SERVER_GOVERNOR_PORT": strconv.Itoa(governor),
	})
	a := &apiProcess{address: fmt.Sprintf("127.0.0.1:%d", port), governor: fmt.Sprintf("127.0.0.1:%d", governor)}
	a.process = start(c.t, name, program(c.t, "ws-api"), filepath.Join(c.dir, "api.toml"), env)
	return a
}

// dial connects a component.
func (c *cluster) dial(api *apiProcess) *component.Client {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := component.Dial(ctx, component.Options{
		Address: api.address, Component: "tests", Token: componentToken,
		OnError: func(err error) { c.t.Logf("component: %v", err) },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := client.Close(); err != nil {
			c.t.Error(err)
		}
	})
	return client
}

// token makes a user's token that grants documents.
func token(t *testing.T, user string, documents ...string) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(time.Hour).Unix(), "docs": documents}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

const gatewayTOML = `
[transport]
ping_interval = "2s"
ping_timeout = "20s"
flush_timeout = "1s"

[gateway]
drain_window = "2s"

[edge] # all clients come from one address
conns_per_second = 0.0
max_conns_per_address = 0

[gateway.address]
max_sessions = 0
new_per_second = 0

[stop]
timeout = "25s"

[logger.default]
level = "info"

[[auth.type]]
name = "web"
algorithms = ["HS256"]
secret = "` + jwtSecret + `"
`

const apiTOML = `
[logger.default]
level = "info"

[[api.component]]
name = "tests"
tokens = ["` + componentToken + `"]
methods = ["*"]
documents = ["*"]
events = ["*"]
namespaces = ["/"]
presence = true
`
