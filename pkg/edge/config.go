package edge

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"time"
)

// Config is the port for clients.
type Config struct {
	// Listen is host:port for clients. Default "127.0.0.1:9000"; ":9000" listens
	// on every interface, "localhost:9000" on both loopbacks, IPv4 and IPv6.
	Listen string `toml:"listen"`

	// ProxyProtocol lists the networks of balancers that begin each connection
	// with a PROXY header, version 1 or 2. Default none: nobody is asked for one.
	// From a listed network it is required, so list nobody whom clients can come
	// from; from others it is refused like any garbage.
	ProxyProtocol []string `toml:"proxy_protocol"`
	// ProxyHeaderBytes bounds a header of version 2 behind its first 16 bytes.
	// Default 2048: addresses take 36, the rest is what balancers add.
	ProxyHeaderBytes int `toml:"proxy_header_bytes"`
	// TrustedProxies lists the networks of proxies that are believed about whom
	// they forward requests for. Default none: the peer is the client. Limits of
	// an address do not hold for them, as many clients come through one.
	TrustedProxies []string `toml:"trusted_proxies"`
	// ForwardedHeader is where they say it: "X-Forwarded-For" or "Forwarded".
	// Default "X-Forwarded-For". The other one is never looked at: a proxy passes
	// it on as the client wrote it.
	ForwardedHeader string `toml:"forwarded_header"`

	// CertFile is the certificate chain (PEM). Default none: plain, behind a
	// balancer that ends TLS. Changed files are used within ReloadEvery.
	CertFile string `toml:"cert_file"`
	// KeyFile is the private key (PEM) of CertFile.
	KeyFile string `toml:"key_file"`
	// Certificates are more of them, chosen by the name that the client asks for.
	// Whoever asks for no name, or for an unknown one, gets CertFile.
	Certificates []CertificateConfig `toml:"certificate"`
	// MinVersion of TLS, "1.2" or "1.3". Default "1.2", which a few clients of
	// before 2019 still need.
	MinVersion string `toml:"min_version"`
	// ClientCAFile holds the authorities (PEM) of clients' certificates. Needed
	// for, and only used with, ClientAuth.
	ClientCAFile string `toml:"client_ca_file"`
	// ClientAuth says whether clients show a certificate: "none", "optional" (one
	// that is shown must be good) or "required". Default "none". It comes before
	// the token and does not replace it.
	ClientAuth string `toml:"client_auth"`
	// TicketKeyFile holds secrets from which the keys of TLS session tickets are
	// made, one a line, of 32 characters or more. Gateways with the same file
	// resume each other's sessions. Tickets are sealed with the first line and
	// opened with any, so a secret is changed by putting the new one second
	// everywhere, then first, then leaving the old one out. Default none: each
	// process makes keys of its own.
	TicketKeyFile string `toml:"ticket_key_file"`
	// TicketRotateEvery is how long a key made from such a secret seals tickets;
	// for as long again it opens them. Default 12h. Shorter limits what a stolen
	// key opens, and sends clients through full handshakes sooner.
	TicketRotateEvery time.Duration `toml:"ticket_rotate_every"`
	// ReloadEvery is the time between two looks at all these files. Default 10s.
	ReloadEvery time.Duration `toml:"reload_every"`
	// MaxHandshakes is how many TLS handshakes may compute at the same time; the
	// others wait, at most HeaderTimeout. Default 0: half of the CPUs that this
	// process may use, at least one. The other half is for those who are connected:
	// when handshakes may take all CPUs, everybody else waits behind them.
	MaxHandshakes int `toml:"max_handshakes"`

	// ConnsPerSecond is how many connections of one address may come per second,
	// an IPv6 address meaning its /64. Default 100. Zero means no limit. What is
	// above these limits is closed before TLS.
	ConnsPerSecond float64 `toml:"conns_per_second"`
	// ConnsBurst is how many of one address may come at once. Default 1000: an
	// office comes back together, and a polling client needs three.
	ConnsBurst int `toml:"conns_burst"`
	// MaxConnsPerAddress is how many connections one address may have. Default
	// 2000, above what gateway.address.max_sessions needs while all of them poll.
	// Zero means no limit.
	MaxConnsPerAddress int `toml:"max_conns_per_address"`
	// MaxConns is how many connections there may be. Default 0: nine tenths of the
	// files that the process may open, the rest being for what it needs itself.
	MaxConns int `toml:"max_conns"`
	// MaxAddresses is how many addresses without a connection are remembered.
	// Default 65536, of about 60 bytes each. A flood from more of them than that
	// is bounded by MaxConns and MaxHandshakes only.
	MaxAddresses int `toml:"max_addresses"`

	// HeaderTimeout bounds the PROXY header, then the TLS handshake, and then a
	// request's header. Default 5s.
	HeaderTimeout time.Duration `toml:"header_timeout"`
	// MaxHeaderBytes bounds a request's header with its first line. Default 8192;
	// tokens travel in it when clients send them in the query. At least 5120.
	MaxHeaderBytes int `toml:"max_header_bytes"`
	// MaxHeaders bounds the lines of a request's header. Default 64.
	MaxHeaders int `toml:"max_headers"`
	// BodyTimeout bounds the reading of a body that nobody wants, such as that of
	// a refused request. Default 10s. See transport.post_timeout for the others.
	BodyTimeout time.Duration `toml:"body_timeout"`
	// WriteTimeout bounds the sending of an answer that is ready. Default 10s.
	// See transport.write_timeout for messages.
	WriteTimeout time.Duration `toml:"write_timeout"`
	// IdleTimeout is how long a kept-alive connection may wait for its next
	// request. Default 75s, above what balancers use.
	IdleTimeout time.Duration `toml:"idle_timeout"`
	// Health are the paths for balancers.
	Health HealthConfig `toml:"health"`
}

// CertificateConfig is one [[edge.certificate]] entry.
type CertificateConfig struct {
	// CertFile is the certificate chain (PEM). Its names are those that it is
	// shown for; *.example.com covers one level.
	CertFile string `toml:"cert_file"`
	// KeyFile is the private key (PEM) of CertFile.
	KeyFile string `toml:"key_file"`
}

// HealthConfig are paths of the client port that answer balancers. They are on
// the operations port as well, always.
type HealthConfig struct {
	// Live answers 200 while the process can answer. Default "/health"; empty
	// switches it off.
	Live string `toml:"live"`
	// Ready answers 200 when the process has all that it needs, and 503 with what
	// is missing before. Default "/ready"; empty switches it off.
	Ready string `toml:"ready"`
	// Accept answers 200 while new clients are welcome, and 503 with Retry-After
	// before that, while leaving, and when there are too many. Default
	// "/accept-traffic"; empty switches it off. It is the one for balancers.
	Accept string `toml:"accept"`
}

// Values of Config.ClientAuth.
const (
	clientNone     = "none"
	clientOptional = "optional"
	clientRequired = "required"
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:9000", ProxyHeaderBytes: 2048, ForwardedHeader: XForwardedFor,
		MinVersion: "1.2", ClientAuth: clientNone, TicketRotateEvery: 12 * time.Hour, ReloadEvery: 10 * time.Second,
		ConnsPerSecond: 100, ConnsBurst: 1000, MaxConnsPerAddress: 2000, MaxAddresses: 65536,
		HeaderTimeout: 5 * time.Second, MaxHeaderBytes: 8192, MaxHeaders: 64, BodyTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second,
		Health: HealthConfig{Live: "/health", Ready: "/ready", Accept: "/accept-traffic"},
	}
}

// TLS tells whether the port speaks it.
func (c *Config) TLS() bool { return c.CertFile != "" }

// handshakes is how many may compute at once.
func (c *Config) handshakes() int {
	if c.MaxHandshakes > 0 {
		return c.MaxHandshakes
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// conns is how many connections there may be; 0 means that nobody knows.
func (c *Config) conns() int {
	if c.MaxConns > 0 {
		return c.MaxConns
	}
	return openFiles() / 10 * 9
}

// Validate reports everything that is wrong, each with its key.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, errors.New("listen: must be host:port"))
	}
	if _, err := ParseNetworks(c.ProxyProtocol); err != nil {
		errs = append(errs, fmt.Errorf("proxy_protocol: %w", err))
	}
	if _, err := ParseNetworks(c.TrustedProxies); err != nil {
		errs = append(errs, fmt.Errorf("trusted_proxies: %w", err))
	}
	if c.ForwardedHeader != XForwardedFor && c.ForwardedHeader != Forwarded {
		errs = append(errs, fmt.Errorf("forwarded_header: must be %s or %s", XForwardedFor, Forwarded))
	}
	errs = append(errs, c.checkTLS()...)
	errs = append(errs, c.checkNumbers()...)
	return errors.Join(append(errs, c.Health.check()...)...)
}

func (c *Config) checkTLS() (errs []error) {
	bad := func(text string) { errs = append(errs, errors.New(text)) }
	if (c.CertFile == "") != (c.KeyFile == "") {
		bad("cert_file: must be set together with key_file")
	}
	for i, p := range c.Certificates {
		if p.CertFile == "" || p.KeyFile == "" {
			bad(fmt.Sprintf("certificate[%d]: needs cert_file and key_file", i))
		}
	}
	if versions[c.MinVersion] == 0 {
		bad(`min_version: must be "1.2" or "1.3"`)
	}
	switch c.ClientAuth {
	case clientNone:
		if c.ClientCAFile != "" {
			bad("client_ca_file: is used with client_auth only")
		}
	case clientOptional, clientRequired:
		if c.ClientCAFile == "" {
			bad("client_auth: needs client_ca_file")
		}
	default:
		bad(`client_auth: must be "none", "optional" or "required"`)
	}
	if !c.TLS() && (len(c.Certificates) > 0 || c.ClientAuth != clientNone || c.TicketKeyFile != "") {
		bad("certificate, client_auth, ticket_key_file: need cert_file and key_file")
	}
	return errs
}

func (c *Config) checkNumbers() (errs []error) {
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{
		{"ticket_rotate_every", c.TicketRotateEvery, time.Minute}, {"reload_every", c.ReloadEvery, time.Millisecond},
		{"header_timeout", c.HeaderTimeout, time.Millisecond}, {"body_timeout", c.BodyTimeout, time.Millisecond},
		{"write_timeout", c.WriteTimeout, time.Millisecond}, {"idle_timeout", c.IdleTimeout, time.Millisecond},
	} {
		if d.value < d.least {
			errs = append(errs, fmt.Errorf("%s: must be at least %v", d.key, d.least))
		}
	}
	for _, n := range []struct {
		key         string
		value       int
		least, most int
	}{
		{"proxy_header_bytes", c.ProxyHeaderBytes, 36, 65535},
		{"max_handshakes", c.MaxHandshakes, 0, 1 << 16},
		{"conns_burst", c.ConnsBurst, 1, 1 << 30},
		{"max_conns_per_address", c.MaxConnsPerAddress, 0, 1 << 30},
		{"max_conns", c.MaxConns, 0, 1 << 30},
		{"max_addresses", c.MaxAddresses, 1, 1 << 30},
		{"max_header_bytes", c.MaxHeaderBytes, bufferSlop + 1024, 1 << 20},
		{"max_headers", c.MaxHeaders, 8, 1 << 16},
	} {
		if n.value < n.least || n.value > n.most {
			errs = append(errs, fmt.Errorf("%s: must be from %d to %d, is %d", n.key, n.least, n.most, n.value))
		}
	}
	if c.ConnsPerSecond < 0 {
		errs = append(errs, errors.New("conns_per_second: must not be negative"))
	}
	return errs
}

func (c *HealthConfig) check() (errs []error) {
	seen := map[string]bool{}
	for _, p := range []struct{ key, path string }{
		{"live", c.Live}, {"ready", c.Ready}, {"accept", c.Accept},
	} {
		if p.path == "" {
			continue
		}
		if !strings.HasPrefix(p.path, "/") || seen[p.path] {
			errs = append(errs, fmt.Errorf("health.%s: must begin with / and differ from the others", p.key))
		}
		seen[p.path] = true
	}
	return errs
}
