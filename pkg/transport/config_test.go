package transport

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultConfigIsValid(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Path = "socket.io"
	cfg.Transports = []string{"polling", "webtransport"}
	cfg.PingInterval = 0
	cfg.MaxPayload = -1
	cfg.Origins = []string{"https://a.example/", "a.example"}
	cfg.HeartbeatGrowAfter = 300
	cfg.HeartbeatMissed = 48 * time.Hour
	cfg.CORSMaxAge = -1
	err := cfg.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"path: ", "transports: ", "ping_interval: ", "max_payload: ", "origins: ", "heartbeat_missed: ", "heartbeat_grow_after: ", "cors_max_age: "} {
		if !strings.Contains("\n"+err.Error(), "\n"+key) {
			t.Errorf("nothing about %q in:\n%v", key, err)
		}
	}
}
