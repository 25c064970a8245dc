package app

import (
	"flag"
	"strings"
	"testing"
	"time"
)

func TestEchoFlagsGoOverTheConfiguration(t *testing.T) {
	var f echoFlags
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	f.register(fs)
	if err := fs.Parse(strings.Fields(`-ping-interval 300ms -ping-timeout 200ms -connect-timeout 1s -upgrade-timeout 2s
		-max-payload 5000 -no-recovery -no-dynamic-heartbeat`)); err != nil {
		t.Fatal(err)
	}
	s, err := loadDev(DefaultDevConfig(), devEcho)
	if err != nil {
		t.Fatal(err)
	}
	g := &s.Gateway
	g.Transport.HeartbeatGrowAfter = 3
	if err := f.apply(g); err != nil {
		t.Fatal(err)
	}
	w := g.Transport
	if w.PingInterval != 300*time.Millisecond || w.PingTimeout != 200*time.Millisecond || w.UpgradeTimeout != 2*time.Second ||
		w.MaxPayload != 5000 || w.HeartbeatGrowAfter != 0 || g.Gateway.ConnectTimeout != time.Second {
		t.Errorf("transport is %+v", w)
	}
	f.maxPayload = 1
	if err := f.apply(g); err == nil || !strings.Contains(err.Error(), "transport.max_payload") {
		t.Errorf("a payload of 1 byte: %v", err)
	}
}

func TestThereAreTwoComponents(t *testing.T) {
	if _, err := loadDev(DefaultDevConfig(), "parrot"); err == nil {
		t.Error("a component that does not exist is run")
	}
	s, err := loadDev(DefaultDevConfig(), devDocs)
	if err != nil || len(s.Gateway.Gateway.Refuse) != 0 || s.Gateway.Transport.CORS {
		t.Errorf("the example has the settings of the echo: %v", err)
	}
}

func TestLocalhostIsBothLoopbacks(t *testing.T) {
	all, err := listen(t.Context(), "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ports := map[string]bool{}
	for _, l := range all {
		address := l.Addr().String()
		ports[address[strings.LastIndex(address, ":"):]] = true
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(ports) != 1 {
		t.Errorf("the ports are %v", ports)
	}
}
