package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type testConfig struct {
	testCommon
	Limits testLimits  `toml:"limits"`
	List   []string    `toml:"list"`
	Tables []testTable `toml:"table"`
}

// testCommon is embedded, as what both services have in common is.
type testCommon struct {
	Name string `toml:"name"`
	Wait wait   `toml:"wait"`
}

type wait struct {
	For   time.Duration `toml:"for"`
	Token string        `toml:"token"`
}

func (w *wait) Validate() error {
	if w.For <= 0 {
		return errors.Join(errors.New("for: must be above 0"), errors.New("token: is never right"))
	}
	return nil
}

type testLimits struct {
	Most  int     `toml:"most"`
	Share float64 `toml:"share"`
	On    bool    `toml:"on"`
}

type testTable struct {
	Name   string `toml:"name"`
	Secret string `toml:"secret"`
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, found := values[name]
		return v, found
	}
}

func TestTheEnvironmentIsOverTheFileAndTheFileOverDefaults(t *testing.T) {
	cfg := testConfig{testCommon: testCommon{Name: "default", Wait: wait{For: time.Second}}, Limits: testLimits{Most: 1}}
	path := file(t, "name = \"file\"\nlist = [\"a\"]\n[wait]\nfor = \"25s\"\n[limits]\nmost = 2\nshare = 0.5\n[[table]]\nname = \"x\"\n")
	err := Load(path, environment(map[string]string{"SLUICE_LIMITS_MOST": "3", "SLUICE_LIST": "b, c", "SLUICE_LIMITS_ON": "true", "SLUICE_WAIT_TOKEN": "t"}), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "file" || cfg.Wait != (wait{For: 25 * time.Second, Token: "t"}) || cfg.Limits.Most != 3 || cfg.Limits.Share != 0.5 || !cfg.Limits.On {
		t.Errorf("loaded %+v", cfg)
	}
	if strings.Join(cfg.List, "+") != "b+c" || len(cfg.Tables) != 1 || cfg.Tables[0].Name != "x" {
		t.Errorf("loaded %+v", cfg)
	}
}

func TestEverythingWrongIsReportedWithItsKey(t *testing.T) {
	cfg := testConfig{}
	path := file(t, "namee = \"x\"\n[wait]\nfor = 25\n[limits]\nmost = \"two\"\n[[table]]\nnome = 1\n")
	err := Load(path, environment(map[string]string{"SLUICE_LIMITS_SHARE": "half"}), &cfg)
	var wrong *ConfigError
	if !errors.As(err, &wrong) {
		t.Fatalf("reported %v", err)
	}
	text := err.Error()
	for _, want := range []string{
		"namee", "nome", "wait.for: must be above 0", "wait.token: is never right", "duration in quotes", "most",
		"limits.share: from SLUICE_LIMITS_SHARE: must be a number",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing about %q in:\n%s", want, text)
		}
	}
}

func TestWhatIsNoNumberInTheEnvironmentIsRefused(t *testing.T) {
	for _, share := range []string{"nan", "NaN", "inf", "-Inf", "1e999"} {
		err := Load("", environment(map[string]string{"SLUICE_LIMITS_SHARE": share}), &testConfig{testCommon: testCommon{Wait: wait{For: 1}}})
		if err == nil || !strings.Contains(err.Error(), "limits.share: from SLUICE_LIMITS_SHARE: must be a number") {
			t.Errorf("%s: %v", share, err)
		}
	}
}

func TestASyntaxErrorSaysWhere(t *testing.T) {
	err := Load(file(t, "name = \"x\"\nthis is not toml\n"), environment(nil), &testConfig{})
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("reported %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	cfg := testConfig{testCommon: testCommon{Wait: wait{For: time.Minute, Token: "hush"}}, Tables: []testTable{{Name: "x", Secret: "hush"}}}
	text, err := Effective(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "hush") || strings.Count(text, hidden) != 2 || !strings.Contains(text, `for = '1m0s'`) {
		t.Errorf("printed:\n%s", text)
	}
}

// Every secret of the programs' own configurations is among the hidden keys.
func TestTheProgramsSecretsAreHidden(t *testing.T) {
	for _, name := range []string{"ws-gateway.toml", "ws-api.toml"} {
		g, a := DefaultGatewayConfig(), DefaultAPIConfig()
		var cfg any = &g
		if name == "ws-api.toml" {
			cfg = &a
		}
		text, err := os.ReadFile("../../config/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := Load(file(t, strings.ReplaceAll(string(text), "change-me", "hush-hush")), environment(nil), cfg); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		g.Redis.Password, a.Redis.Password = "hush", "hush"
		g.Kafka.SASL.Password, a.Kafka.SASL.Password = "hush", "hush"
		printed, err := Effective(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(printed, "hush") || strings.Contains(printed, "sluice:sluice@") {
			t.Errorf("%s -check shows a secret", name)
		}
	}
}

func TestTimeoutsMustNarrow(t *testing.T) {
	cfg := DefaultGatewayConfig()
	cfg.Redis.ReadTimeout = cfg.Kafka.Producer.WriteTimeout
	cfg.Kafka.Producer.WriteTimeout = cfg.Kafka.Producer.MaxAge
	cfg.Stop.Timeout = cfg.Gateway.DrainWindow
	err := cfg.check()
	for _, want := range []string{"stop.timeout", "kafka.producer.write_timeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not refused: %v", want, err)
		}
	}
	cfg = DefaultGatewayConfig()
	cfg.Redis.ReadTimeout = 3 * time.Second
	if err := cfg.check(); err == nil || !strings.Contains(err.Error(), "redis.readTimeout") {
		t.Errorf("redis.readTimeout is not refused: %v", err)
	}
}
