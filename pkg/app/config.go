package app

import (
	"errors"
	"fmt"
	"time"

	"sluice/pkg/api"
	"sluice/pkg/auth"
	"sluice/pkg/bus"
	"sluice/pkg/edge"
	"sluice/pkg/gateway"
	"sluice/pkg/mesh"
	"sluice/pkg/replica"
	"sluice/pkg/session"
	"sluice/pkg/stream"
	"sluice/pkg/transport"
)

// ServiceConfig is what both services are configured with, as sections of their
// own configuration.
type ServiceConfig struct {
	// Name of this replica, the same after a restart: a restarted process of the
	// same name and version gets its number back. Default: the host's name.
	Name string `toml:"name"`
	// Logger holds EGO's loggers.
	Logger LoggersConfig `toml:"logger"`
	// Trace is EGO's tracing.
	Trace TraceConfig `toml:"trace"`
	// Mesh is the traffic between the processes.
	Mesh mesh.Config `toml:"mesh"`
	// Registry issues replica numbers.
	Registry replica.Config `toml:"registry"`
	// Redis is EGO's Redis client.
	Redis RedisConfig `toml:"redis"`
	// Session is the index of who is where.
	Session session.Config `toml:"session"`
	// Stream is the history of documents and its broadcast.
	Stream stream.Config `toml:"stream"`
	// Kafka carries events up and durable pushes down.
	Kafka bus.Config `toml:"kafka"`
	// Memory is how the garbage collector works.
	Memory MemoryConfig `toml:"memory"`
	// Stop is how the process leaves.
	Stop StopConfig `toml:"stop"`
}

// StopConfig is how a process leaves.
type StopConfig struct {
	// Timeout for leaving in order; what is not done by then is cut. Defaults
	// 60s (ws-gateway), where it must be longer than gateway.drain_window, and
	// 30s (ws-api).
	Timeout time.Duration `toml:"timeout"`
}

// GatewayConfig is the configuration of ws-gateway.
type GatewayConfig struct {
	ServiceConfig

	// Server holds the servers on the inside.
	Server GatewayServers `toml:"server"`
	// Edge is the port for clients.
	Edge edge.Config `toml:"edge"`
	// Transport is how sessions are kept.
	Transport transport.Config `toml:"transport"`
	// Gateway is what connections may do.
	Gateway gateway.Config `toml:"gateway"`
	// Auth turns tokens into identities.
	Auth auth.Config `toml:"auth"`
}

// GatewayServers are the servers of ws-gateway on the inside.
type GatewayServers struct {
	// Governor serves metrics, health and profiles.
	Governor GovernorConfig `toml:"governor"`
	// Mesh is called by WS-API and by other gateways.
	Mesh GRPCConfig `toml:"mesh"`
}

// APIConfig is the configuration of ws-api.
type APIConfig struct {
	ServiceConfig

	// Server holds the servers.
	Server APIServers `toml:"server"`
	// TLS is for the calls of components.
	TLS ComponentTLSConfig `toml:"tls"`
	// API is what components may do.
	API api.Config `toml:"api"`
}

// APIServers are the servers of ws-api.
type APIServers struct {
	// Governor serves metrics, health and profiles.
	Governor GovernorConfig `toml:"governor"`
	// GRPC is called by components.
	GRPC GRPCConfig `toml:"grpc"`
}

func defaultService(stop, ack time.Duration) ServiceConfig {
	c := ServiceConfig{
		Name: hostname(), Logger: defaultLoggers(), Trace: defaultTrace(),
		Mesh: mesh.DefaultConfig(), Registry: replica.DefaultConfig(), Redis: defaultRedis(),
		Session: session.DefaultConfig(), Stream: stream.DefaultConfig(), Kafka: bus.DefaultConfig(),
		Memory: defaultMemory(), Stop: StopConfig{Timeout: stop},
	}
	c.Kafka.Consumer.AckTimeout = ack
	return c
}

// DefaultGatewayConfig returns the defaults of ws-gateway.
func DefaultGatewayConfig() GatewayConfig {
	return GatewayConfig{
		ServiceConfig: defaultService(time.Minute, time.Hour),
		Server:        GatewayServers{Governor: GovernorConfig{Host: "127.0.0.1", Port: 9003}, Mesh: defaultGRPC(9001)},
		Edge:          edge.DefaultConfig(), Transport: transport.DefaultConfig(), Gateway: gateway.DefaultConfig(), Auth: auth.DefaultConfig(),
	}
}

// DefaultAPIConfig returns the defaults of ws-api.
func DefaultAPIConfig() APIConfig {
	return APIConfig{
		ServiceConfig: defaultService(30*time.Second, 5*time.Minute),
		Server:        APIServers{Governor: GovernorConfig{Host: "127.0.0.1", Port: 9004}, GRPC: defaultGRPC(9002)},
		TLS:           ComponentTLSConfig{ReloadEvery: 10 * time.Second}, API: api.DefaultConfig(),
	}
}

// check reports what is wrong between the sections.
func (c *GatewayConfig) check() error {
	errs := c.between()
	if c.Stop.Timeout <= c.Gateway.DrainWindow {
		errs = append(errs, errors.New("stop.timeout: must be longer than gateway.drain_window"))
	}
	if c.Kafka.Consumer.AckTimeout < 10*time.Minute {
		errs = append(errs, errors.New("kafka.consumer.ack_timeout: must be at least 10m: a Redis that is away must not make dead letters of pushes"))
	}
	if c.Mesh.MaxForwardBytes < c.Transport.MaxPayload {
		errs = append(errs, errors.New("mesh.max_forward_bytes: must not be below transport.max_payload"))
	}
	if m := c.Gateway.Packets.MessageBytes; m > 0 && m < c.Transport.MaxPayload {
		errs = append(errs, errors.New("gateway.packets.message_bytes: must not be below transport.max_payload"))
	}
	if c.Mesh.ForwardTimeout <= c.Transport.PingInterval {
		errs = append(errs, errors.New("mesh.forward_timeout: must be longer than transport.ping_interval, for which a poll may hang"))
	}
	for i := range c.Auth.Types {
		if c.Auth.Types[i].Callback.Within() >= c.Gateway.AuthTimeout {
			errs = append(errs, fmt.Errorf("auth.type[%d].callback.timeout: must be below gateway.auth_timeout", i))
		}
	}
	return errors.Join(errs...)
}

func (c *APIConfig) check() error {
	errs := c.between()
	if c.Stop.Timeout <= 0 {
		errs = append(errs, errors.New("stop.timeout: must be above 0"))
	}
	if c.Kafka.Consumer.AckTimeout < 3*c.API.Subscribe.AckTimeout {
		errs = append(errs, errors.New("kafka.consumer.ack_timeout: must be at least 3 times api.subscribe.ack_timeout: the events of one socket wait for each other"))
	}
	return errors.Join(errs...)
}

// between reports what is wrong between the sections of both services. Timeouts
// narrow from the outside in: whoever waits gives up after the one it waits for,
// so that nobody works for somebody who left.
func (c *ServiceConfig) between() []error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: must be set, the host has none"))
	}
	if c.Kafka.Producer.WriteTimeout >= c.Kafka.Producer.MaxAge {
		errs = append(errs, errors.New("kafka.producer.write_timeout: must be below kafka.producer.max_age, or no write is tried twice"))
	}
	if c.Redis.ReadTimeout >= c.Kafka.Producer.WriteTimeout {
		errs = append(errs, errors.New("redis.readTimeout: must be below kafka.producer.write_timeout: timeouts narrow from the outside in"))
	}
	return errs
}

// Validate of a whole configuration runs on its sections, and then on what is
// between them.
func (c *GatewayConfig) Validate() error { return errors.Join(sections(c), c.check()) }

// Validate reports everything that is wrong with the sections and between them.
func (c *APIConfig) Validate() error { return errors.Join(sections(c), c.check()) }
