package app

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

// GovernorConfig is EGO's [server.governor]: metrics, health, profiles.
type GovernorConfig struct {
	// Host to listen on. Default 127.0.0.1: it has no password. Open it only to
	// the network of your monitoring.
	Host string `toml:"host"`
	// Port to listen on. Defaults 9003 (ws-gateway) and 9004 (ws-api).
	Port int `toml:"port"`
}

// Validate reports everything that is wrong.
func (c *GovernorConfig) Validate() error { return checkAddress(c.Host, c.Port) }

// GRPCConfig is one of EGO's gRPC servers.
type GRPCConfig struct {
	// Host to listen on. Default 127.0.0.1.
	Host string `toml:"host"`
	// Port to listen on. Defaults 9001 (mesh) and 9002 (API).
	Port int `toml:"port"`
	// Advertise is the address under which the others reach this server, when
	// it is not host and port: behind address translation, or when listening on
	// every interface. Default empty.
	Advertise string `toml:"advertise"`
	// SlowLogThreshold is the time above which EGO logs a call as slow. Default
	// zero, which logs none: subscriptions live for hours, forwarded polls hang.
	SlowLogThreshold time.Duration `toml:"slowLogThreshold"`
	// EnableAccessInterceptor makes EGO log every call. Default false.
	EnableAccessInterceptor bool `toml:"enableAccessInterceptor"`
	// EnableMetricInterceptor makes EGO count and time every call. Default true.
	EnableMetricInterceptor bool `toml:"enableMetricInterceptor"`
	// EnableTraceInterceptor makes EGO trace every call, when tracing is on.
	// Default false.
	EnableTraceInterceptor bool `toml:"enableTraceInterceptor"`
	// Reflection lets tools such as grpcurl list the services. Default true.
	Reflection bool `toml:"reflection"`
}

func defaultGRPC(port int) GRPCConfig {
	return GRPCConfig{
		Host: "127.0.0.1", Port: port,
		EnableMetricInterceptor: true, Reflection: true,
	}
}

// Validate reports everything that is wrong.
func (c *GRPCConfig) Validate() error {
	errs := []error{checkAddress(c.Host, c.Port)}
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			errs = append(errs, errors.New("advertise: must be host:port"))
		}
	}
	return errors.Join(errs...)
}

// Address is what the others call.
func (c *GRPCConfig) Address() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
}

func checkAddress(host string, port int) error {
	var errs []error
	if host == "" {
		errs = append(errs, errors.New("host: must be set; 0.0.0.0 listens on every interface"))
	}
	if port < 1 || port > 65535 {
		errs = append(errs, errors.New("port: must be between 1 and 65535"))
	}
	return errors.Join(errs...)
}

// LoggersConfig holds EGO's two loggers.
type LoggersConfig struct {
	// Default is the logger of the services.
	Default LoggerConfig `toml:"default"`
	// Ego is the logger of the framework.
	Ego LoggerConfig `toml:"ego"`
}

// LoggerConfig is one of EGO's loggers.
type LoggerConfig struct {
	// Level is the least that is logged: debug, info, warn, error. Default info,
	// and warn for the framework.
	Level string `toml:"level"`
	// Writer is stderr or file. Default stderr.
	Writer string `toml:"writer"`
	// Dir is the folder of the files. Default "./logs".
	Dir string `toml:"dir"`
	// Name of the file. Default "default.log" and "ego.sys".
	Name string `toml:"name"`
	// EnableAsync buffers the lines of files. Default false: nothing is lost
	// when the process is killed.
	EnableAsync bool `toml:"enableAsync"`
	// EnableAddCaller adds the place in the code. Default false.
	EnableAddCaller bool `toml:"enableAddCaller"`
}

func defaultLoggers() LoggersConfig {
	return LoggersConfig{
		Default: LoggerConfig{Level: "info", Writer: "stderr", Dir: "./logs", Name: "default.log"},
		Ego:     LoggerConfig{Level: "warn", Writer: "stderr", Dir: "./logs", Name: "ego.sys"},
	}
}

// Validate reports everything that is wrong.
func (c *LoggerConfig) Validate() error {
	var errs []error
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Level) {
		errs = append(errs, errors.New("level: must be debug, info, warn or error"))
	}
	if c.Writer != "stderr" && c.Writer != "file" {
		errs = append(errs, errors.New("writer: must be stderr or file"))
	}
	return errors.Join(errs...)
}

// TraceConfig is EGO's tracing.
type TraceConfig struct {
	// Disable switches it off. Default true. The trace ids of events travel
	// through Kafka and gRPC either way.
	Disable bool `toml:"disable"`
	// ServiceName in the traces. Default: the program's name.
	ServiceName string `toml:"serviceName"`
	// OtelType is the exporter: otlp. Default otlp.
	OtelType string `toml:"otelType"`
	// Fraction of the traces that begin here and are kept, 0 to 1. Default 0.01.
	Fraction float64 `toml:"fraction"`
	// Otlp is where traces go.
	Otlp OtlpConfig `toml:"otlp"`
}

// OtlpConfig is where traces go.
type OtlpConfig struct {
	// Endpoint is host:port of the collector. Default localhost:4317.
	Endpoint string `toml:"endpoint"`
	// EnableInsecure goes without TLS. Default true.
	EnableInsecure bool `toml:"enableInsecure"`
}

func defaultTrace() TraceConfig {
	return TraceConfig{Disable: true, OtelType: "otlp", Fraction: 0.01, Otlp: OtlpConfig{Endpoint: "localhost:4317", EnableInsecure: true}}
}

// Validate reports everything that is wrong.
func (c *TraceConfig) Validate() error {
	var errs []error
	if c.OtelType != "otlp" {
		errs = append(errs, errors.New("otelType: must be otlp"))
	}
	if c.Fraction < 0 || c.Fraction > 1 {
		errs = append(errs, errors.New("fraction: must be between 0 and 1"))
	}
	return errors.Join(errs...)
}

// RedisConfig is EGO's Redis client.
type RedisConfig struct {
	// Mode is stub (one server), cluster or sentinel. Default stub. The client
	// library does not understand the cluster answers of Redis 7: cluster needs
	// Redis 6 for now, and like sentinel was not tried on real servers.
	Mode string `toml:"mode"`
	// Addr is host:port of the server, for stub. No default.
	Addr string `toml:"addr"`
	// Addrs are the nodes, for cluster, or the sentinels.
	Addrs []string `toml:"addrs"`
	// MasterName, for sentinel.
	MasterName string `toml:"masterName"`
	// Password of the server. Default none.
	Password string `toml:"password"`
	// DB is the number of the database. Default 0; cluster has no other.
	DB int `toml:"db"`
	// PoolSize is the number of connections per node. Default 50.
	PoolSize int `toml:"poolSize"`
	// MinIdleConns are kept open. Default 2.
	MinIdleConns int `toml:"minIdleConns"`
	// DialTimeout bounds one attempt to connect. Default 1s.
	DialTimeout time.Duration `toml:"dialTimeout"`
	// ReadTimeout bounds one answer. Default 1s.
	ReadTimeout time.Duration `toml:"readTimeout"`
	// WriteTimeout bounds one request. Default 1s.
	WriteTimeout time.Duration `toml:"writeTimeout"`
	// SlowLogThreshold is the time above which EGO logs a command as slow.
	// Default 250ms.
	SlowLogThreshold time.Duration `toml:"slowLogThreshold"`
	// EnableMetricInterceptor makes EGO count and time every command. Default
	// true.
	EnableMetricInterceptor bool `toml:"enableMetricInterceptor"`
	// AllowEviction starts although the server may evict keys. Default false:
	// an evicted key is a lost message.
	AllowEviction bool `toml:"allow_eviction"`
}

func defaultRedis() RedisConfig {
	return RedisConfig{
		Mode: "stub", PoolSize: 50, MinIdleConns: 2, DialTimeout: time.Second, ReadTimeout: time.Second,
		WriteTimeout: time.Second, SlowLogThreshold: 250 * time.Millisecond, EnableMetricInterceptor: true,
	}
}

// Validate reports everything that is wrong.
func (c *RedisConfig) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch c.Mode {
	case "stub":
		if c.Addr == "" {
			bad("addr: must be set for mode stub")
		}
	case "cluster", "sentinel":
		if len(c.Addrs) == 0 {
			bad("addrs: must be set for mode %s", c.Mode)
		}
		if c.Mode == "sentinel" && c.MasterName == "" {
			bad("masterName: must be set for mode sentinel")
		}
	default:
		bad("mode: must be stub, cluster or sentinel")
	}
	if c.PoolSize < 1 {
		bad("poolSize: must be at least 1")
	}
	for _, t := range []struct {
		key string
		d   time.Duration
	}{{"dialTimeout", c.DialTimeout}, {"readTimeout", c.ReadTimeout}, {"writeTimeout", c.WriteTimeout}} {
		if t.d <= 0 {
			bad("%s: must be above 0", t.key)
		}
	}
	return errors.Join(errs...)
}
