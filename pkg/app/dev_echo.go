package app

import (
	"bytes"
	"context"
	"flag"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/api"
	"sluice/pkg/auth"
	"sluice/pkg/echo"
	"sluice/pkg/gateway"
	"sluice/pkg/settings"
	"sluice/pkg/transport"
)

// The component that ws-dev runs beside the services.
const (
	devDocs = "docs"
	devEcho = "echo"
)

// echoPath is where ws-dev echoes Engine.IO messages as they are.
const echoPath = "/engine.io/"

// echoFlags are the settings that protocol suites agree on with their server.
// Zero leaves the configuration as it is.
type echoFlags struct {
	pingInterval, pingTimeout, connectTimeout, upgradeTimeout time.Duration
	maxPayload                                                int
	noRecovery, noDynamicHeartbeat                            bool
}

func (f *echoFlags) register(fs *flag.FlagSet) {
	fs.DurationVar(&f.pingInterval, "ping-interval", 0, "`time` between heartbeats, as 300ms")
	fs.DurationVar(&f.pingTimeout, "ping-timeout", 0, "`time` for the answer to a heartbeat")
	fs.DurationVar(&f.connectTimeout, "connect-timeout", 0, "`time` that a client has to connect to a namespace")
	fs.DurationVar(&f.upgradeTimeout, "upgrade-timeout", 0, "`time` for the change from polling to WebSocket")
	fs.IntVar(&f.maxPayload, "max-payload", 0, "largest message in `bytes`")
	fs.BoolVar(&f.noRecovery, "no-recovery", false, "offer no connection state recovery: accepted for suites that ask for it, and all there is so far, with the flag or without")
	fs.BoolVar(&f.noDynamicHeartbeat, "no-dynamic-heartbeat", false, "ping every client every ping-interval, from the start")
}

// apply puts the flags over the configuration, and reports what is wrong then.
func (f *echoFlags) apply(g *GatewayConfig) error {
	set := func(to *time.Duration, v time.Duration) {
		if v != 0 {
			*to = v
		}
	}
	set(&g.Transport.PingInterval, f.pingInterval)
	set(&g.Transport.PingTimeout, f.pingTimeout)
	set(&g.Transport.UpgradeTimeout, f.upgradeTimeout)
	set(&g.Gateway.ConnectTimeout, f.connectTimeout)
	if f.maxPayload != 0 {
		g.Transport.MaxPayload = f.maxPayload
	}
	if f.noDynamicHeartbeat {
		g.Transport.HeartbeatGrowAfter = 0
	}
	if err := sectionError(g); err != nil {
		return &ConfigError{File: "flags", Problems: settings.Problems(err)}
	}
	return nil
}

// echoDefaults makes the services what suites expect: everybody may connect,
// also from pages of elsewhere, as often and as fast as they like.
func (s *devServices) echoDefaults() {
	g := &s.Gateway
	g.Transport.Origins, g.Transport.CORS, g.Transport.CORSCredentials = []string{"*"}, true, true
	g.Gateway.Namespaces = []string{"/", "/custom"}
	g.Gateway.Refuse = []gateway.RefuseConfig{{Namespace: "/refused", Message: "Not authorized", Data: `{"code":"E1"}`}}
	a := &g.Gateway.Address
	a.MaxSessions, a.NewPerSecond, a.UnknownPerSecond = 0, 0, 0
	g.Edge.ConnsPerSecond, g.Edge.MaxConnsPerAddress = 0, 0
	g.Gateway.TellClosing = false
	s.API.API.Components = []api.ComponentConfig{{
		Name: devEcho, Tokens: []string{devEchoToken}, Methods: []string{"Push", "PushStream", "Kick", "Reply", "Subscribe"},
		Documents: []string{"*"}, Events: []string{"*"}, Namespaces: []string{"*"}, Presence: true,
	}}
}

// everybody is the verifier of the echo: the payload of a suite's CONNECT is
// there to come back, and not to be believed.
type everybody struct{}

func (everybody) Verify(context.Context, string, string) (auth.Identity, error) {
	return auth.Identity{AuthType: "anonymous", Anonymous: true}, nil
}

// runEcho runs the component of ws-dev that echoes.
func (p *devProgram) runEcho(ctx context.Context) error {
	return echo.Run(ctx, echo.Options{
		Address: p.cfg.API.Server.GRPC.Address(), Component: devEcho, Token: p.cfg.componentToken(devEcho), Log: p.log,
	})
}

// newRawEcho serves Engine.IO at echoPath, on the transport alone: each message
// comes back as it was.
func newRawEcho(cfg transport.Config, reg prometheus.Registerer, log *elog.Component) *transport.Server {
	cfg.Path = echoPath
	var last atomic.Uint64
	return transport.NewServer(cfg, transport.Hooks{
		NewID: func() (uint64, error) { return last.Add(1), nil },
		Open: func(s *transport.Session, _ *http.Request) transport.Receiver {
			return &rawEcho{s}
		},
	}, transport.NewMetrics(prometheus.WrapRegistererWith(prometheus.Labels{"service": "engine-echo"}, reg)), log)
}

type rawEcho struct{ session *transport.Session }

// Message sends data back.
func (e *rawEcho) Message(data []byte, binary bool) {
	own := bytes.Clone(data)
	frame := transport.NewFrame(own)
	if binary {
		frame = transport.NewBinaryFrame(own)
	}
	_ = e.session.Send(frame) // a session that cannot take it is being closed
}

// Closed has nothing to do.
func (e *rawEcho) Closed(transport.Reason) {}
