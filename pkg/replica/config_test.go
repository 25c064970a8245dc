package replica

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultConfigNeedsOnlyADSN(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err == nil || err.Error() != "dsn: must be set" {
		t.Errorf("err = %v", err)
	}
	cfg.DSN = "u:p@tcp(127.0.0.1:3306)/sluice"
	must(t, cfg.Validate())
	cfg.Driver, cfg.DSN = DriverSQLite, "sluice.db"
	must(t, cfg.Validate())
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	cfg := Config{Driver: "oracle", Fixed: 4096, LeaseFor: time.Second, RenewEvery: time.Minute, QuarantineFor: -1, CallTimeout: time.Hour}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	got := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		"dsn: must be set", `driver: must be "mysql" or "sqlite", not "oracle"`, "fixed: must be 0 to 4095",
		"heartbeat_every: must be at least 1ms", "dead_after: must be at least 1ms", "quarantine_for: must not be negative",
		"renew_every: must be at most half of lease_for (1s), not 1m0s", "call_timeout: must be at most dead_after (0s), not 1h0m0s",
	} {
		found := false
		for _, line := range got {
			found = found || strings.HasPrefix(line, want)
		}
		if !found {
			t.Errorf("no line %q in\n%v", want, err)
		}
	}
	cfg = DefaultConfig()
	cfg.DSN = "root:hunter2"
	if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "dsn: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("err = %v", err)
	}
	cfg = DefaultConfig()
	cfg.DSN, cfg.DeadAfter = "u@tcp(x:1)/d", 8*time.Second
	if err := cfg.Validate(); err == nil || err.Error() != "dead_after: must be at least three times heartbeat_every (3s), not 8s" {
		t.Errorf("err = %v", err)
	}
}
