package app

import (
	"errors"
	"time"

	"sluice/pkg/api"
	"sluice/pkg/replica"
)

// DevConfig is the configuration of ws-dev. What the two services need of the
// outside runs in the process: their addresses are filled in.
type DevConfig struct {
	// DataDir keeps Kafka's records and the SQL database over restarts. Default
	// empty: a folder that is removed at the end.
	DataDir string `toml:"data_dir"`
	// ClientDir holds the official browser client, socket.io.min.js, which the
	// example page loads. Default: where npm ci puts it in a checkout.
	ClientDir string `toml:"client_dir"`
	// Gateway is what ws-gateway would have in its file.
	Gateway GatewayConfig `toml:"gateway"`
	// API is what ws-api would have in its file.
	API APIConfig `toml:"api"`
}

// The secrets of ws-dev are no secrets: it listens on loopback only.
const (
	devMeshToken = "development-mesh-token"
	devDocsToken = "development-docs-token"
	devEmbedded  = "embedded" // stands for addresses that are known later
)

// DefaultDevConfig returns the defaults of ws-dev.
func DefaultDevConfig() DevConfig {
	c := DevConfig{
		ClientDir: "pkg/docs/page/node_modules/socket.io-client/dist",
		Gateway:   DefaultGatewayConfig(), API: DefaultAPIConfig(),
	}
	c.Gateway.Name, c.API.Name = "dev-gateway", "dev-api"
	c.Gateway.Auth.Anonymous = true
	c.Gateway.Gateway.DrainWindow, c.Gateway.Stop.Timeout = 0, 20*time.Second
	c.Gateway.Mesh.Token, c.API.Mesh.Token = devMeshToken, devMeshToken
	c.API.API.Components = []api.ComponentConfig{{
		Name: "docs", Tokens: []string{devDocsToken}, Methods: []string{"*"}, Documents: []string{"*"},
		Events: []string{"docs:*"}, Namespaces: []string{"/"}, Presence: true,
	}}
	c.embed(devEmbedded, devEmbedded, []string{devEmbedded})
	return c
}

// embed points both services at the services in the process.
func (c *DevConfig) embed(dsn, redis string, kafka []string) {
	for _, reg := range []*replica.Config{&c.Gateway.Registry, &c.API.Registry} {
		reg.Driver, reg.DSN = "sqlite", dsn
	}
	c.Gateway.Redis.Addr, c.API.Redis.Addr = redis, redis
	c.Gateway.Kafka.Brokers, c.API.Kafka.Brokers = kafka, kafka
	c.Gateway.Redis.AllowEviction, c.API.Redis.AllowEviction = true, true
}

// Validate reports everything that is wrong with the sections and between them.
func (c *DevConfig) Validate() error {
	errs := []error{sections(c)}
	for _, component := range c.API.API.Components {
		if component.Name == "docs" && len(component.Tokens) > 0 {
			return errors.Join(errs...)
		}
	}
	return errors.Join(append(errs, errors.New(`api.api.component: one named "docs" with a token is needed, for the example`))...)
}
