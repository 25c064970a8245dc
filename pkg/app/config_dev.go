package app

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sluice/pkg/api"
	"sluice/pkg/replica"
)

// DevConfig is the configuration of ws-dev itself. Its two services have
// theirs, with defaults for a machine with nothing installed.
type DevConfig struct {
	// DataDir keeps Kafka's records and the SQL database over restarts. Default
	// empty: a folder that is removed at the end.
	DataDir string `toml:"data_dir"`
	// ClientDir holds the official browser client, socket.io.min.js, which the
	// example page loads. Default: where npm ci puts it in a checkout.
	ClientDir string `toml:"client_dir"`
	// GatewayFile is read over the defaults of the gateway, in the form of
	// ws-gateway.toml. Default none. What ws-dev runs itself is set by ws-dev.
	GatewayFile string `toml:"gateway_file"`
	// APIFile is read over the defaults of the API, in the form of ws-api.toml.
	// Default none.
	APIFile string `toml:"api_file"`
}

// DefaultDevConfig returns the defaults of ws-dev.
func DefaultDevConfig() DevConfig {
	return DevConfig{ClientDir: "pkg/docs/page/node_modules/socket.io-client/dist"}
}

// devServices is the configuration of both services in one process.
type devServices struct {
	// Gateway: its logger, trace and governor serve the whole process.
	Gateway GatewayConfig `toml:"gateway"`
	API     APIConfig     `toml:"api"`

	component string // the one that runs beside them
}

// The secrets of ws-dev are no secrets: it listens on loopback only.
const (
	devMeshToken = "development-mesh-token"
	devDocsToken = "development-docs-token"
	devEchoToken = "development-echo-token"
	devLater     = "embedded:1" // stands for addresses that are known later
)

// loadDev reads the files of both services over defaults for development. The
// environment's names begin with the service: SLUICE_GATEWAY_EDGE_LISTEN.
func loadDev(cfg DevConfig, component string) (devServices, error) {
	s := devServices{Gateway: DefaultGatewayConfig(), API: DefaultAPIConfig(), component: component}
	if component != devDocs && component != devEcho {
		return s, fmt.Errorf("config: component: there is docs and echo, not %q", component)
	}
	s.Gateway.Name, s.API.Name = "dev-gateway", "dev-api"
	s.Gateway.Auth.Anonymous = true
	s.Gateway.Gateway.DrainWindow, s.Gateway.Stop.Timeout = 0, 20*time.Second
	s.Gateway.Mesh.Token, s.API.Mesh.Token = devMeshToken, devMeshToken
	s.API.API.Components = []api.ComponentConfig{{
		Name: "docs", Tokens: []string{devDocsToken}, Methods: []string{"*"}, Documents: []string{"*"},
		Events: []string{"docs:*"}, Namespaces: []string{"/"}, Presence: true,
	}}
	if component == devEcho {
		s.echoDefaults()
	}
	s.embed(devLater, devLater, []string{devLater})
	env := func(service string) func(string) (string, bool) {
		return func(name string) (string, bool) {
			return os.LookupEnv(envPrefix + service + "_" + strings.TrimPrefix(name, envPrefix))
		}
	}
	err := errors.Join(
		Load(cfg.GatewayFile, env("GATEWAY"), &s.Gateway),
		Load(cfg.APIFile, env("API"), &s.API),
	)
	if err == nil && s.componentToken(component) == "" {
		err = fmt.Errorf("config: api.component: one named %q with a token is needed, for the component that runs here", component)
	}
	return s, err
}

// embed points both services at the services in the process.
func (s *devServices) embed(dsn, redis string, kafka []string) {
	for _, c := range []*ServiceConfig{&s.Gateway.ServiceConfig, &s.API.ServiceConfig} {
		c.Registry.Driver, c.Registry.DSN = replica.DriverSQLite, dsn
		c.Redis.Addr, c.Redis.AllowEviction = redis, true
		c.Kafka.Brokers = kafka
	}
}

func (s *devServices) componentToken(name string) string {
	for _, c := range s.API.API.Components {
		if c.Name == name && len(c.Tokens) > 0 {
			return c.Tokens[0]
		}
	}
	return ""
}
