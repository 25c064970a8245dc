package edge

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fleet makes servers with the same certificate, each with a ticket file.
type fleet struct {
	t         *testing.T
	dir       string
	cert, key string
}

func newFleet(t *testing.T) *fleet {
	f := &fleet{t: t, dir: t.TempDir()}
	f.cert, f.key = pairFor(t, f.dir, "a", "one")
	return f
}

func (f *fleet) secrets(name string, lines ...string) string {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return file
}

func (f *fleet) server(secrets string) *world {
	return newWorld(f.t, func(c *Config) {
		c.CertFile, c.KeyFile, c.TicketKeyFile, c.TicketRotateEvery = f.cert, f.key, secrets, 12*time.Hour
	}, nil)
}

// at moves a server to a time.
func (w *world) at(now time.Time) {
	w.t.Helper()
	w.tls.now = func() time.Time { return now }
	if _, err := w.tls.load(); err != nil {
		w.t.Fatal(err)
	}
}

// resumes tells whether a session that one began goes on at other.
func (f *fleet) resumes(one, other *world, version uint16) bool {
	f.t.Helper()
	cfg := trusting()
	cfg.ServerName, cfg.MaxVersion, cfg.ClientSessionCache = "one", version, tls.NewLRUClientSessionCache(1)
	first, err := one.shake(cfg)
	if err != nil || first.DidResume {
		f.t.Fatalf("the first handshake: resumed %v, %v", first.DidResume, err)
	}
	second, err := other.shake(cfg)
	if err != nil {
		f.t.Fatalf("the second handshake: %v", err)
	}
	return second.DidResume
}

var (
	oldSecret = strings.Repeat("old", 11)
	newSecret = strings.Repeat("new", 11)
)

func TestServersWithOneTicketFileResumeEachOthersSessions(t *testing.T) {
	f := newFleet(t)
	one, other := f.server(f.secrets("one", oldSecret)), f.server(f.secrets("other", "# the same", "", oldSecret))
	stranger, alone := f.server(f.secrets("stranger", newSecret)), f.server("")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if !f.resumes(one, other, version) {
			t.Errorf("%s: not resumed", tls.VersionName(version))
		}
		if f.resumes(one, stranger, version) || f.resumes(one, alone, version) || f.resumes(alone, one, version) {
			t.Errorf("%s: resumed with another secret", tls.VersionName(version))
		}
		if !f.resumes(alone, alone, version) {
			t.Errorf("%s: a server without a file does not resume its own", tls.VersionName(version))
		}
	}
}

func TestTicketKeysRotateByTheClock(t *testing.T) {
	f := newFleet(t)
	file := f.secrets("one", oldSecret)
	one, other := f.server(file), f.server(file)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // a period begins
	for _, c := range []struct {
		sealed, opened time.Duration
		want           bool
	}{
		{0, 0, true},
		{time.Hour, 11 * time.Hour, true},
		{0, 12 * time.Hour, true},                // the one before
		{11 * time.Hour, 23 * time.Hour, true},   // as long again
		{11 * time.Hour, 24 * time.Hour, false},  // too old
		{12 * time.Hour, 12*time.Hour - 1, true}, // a clock that is behind
		{25 * time.Hour, 11 * time.Hour, false},  // too far ahead
	} {
		one.at(noon.Add(c.sealed))
		other.at(noon.Add(c.opened))
		if got := f.resumes(one, other, tls.VersionTLS13); got != c.want {
			t.Errorf("sealed after %v, opened after %v: resumed %v", c.sealed, c.opened, got)
		}
	}
}

func TestASecretIsChangedWithoutLosingSessions(t *testing.T) {
	f := newFleet(t)
	old := f.server(f.secrets("old", oldSecret))
	file := f.secrets("changing", oldSecret)
	changing := f.server(file)
	for _, step := range []struct {
		lines    []string
		opens    bool // what the old one sealed
		isOpened bool // by the old one
	}{
		{[]string{oldSecret}, true, true},
		{[]string{oldSecret, newSecret}, true, true},
		{[]string{newSecret, oldSecret}, true, false},
		{[]string{newSecret}, false, false},
	} {
		f.secrets("changing", step.lines...)
		if _, err := changing.tls.load(); err != nil {
			t.Fatal(err)
		}
		if got := f.resumes(old, changing, tls.VersionTLS13); got != step.opens {
			t.Errorf("%q opens the old one's: %v", step.lines, got)
		}
		if got := f.resumes(changing, old, tls.VersionTLS13); got != step.isOpened {
			t.Errorf("the old one opens what %q seals: %v", step.lines, got)
		}
	}
}

func TestSecretsAreChecked(t *testing.T) {
	for text, want := range map[string]int{
		"":                               0,
		"\n# nothing\n":                  0,
		strings.Repeat("x", 31):          0,
		strings.Repeat("x", 32):          1,
		strings.Repeat("x", 3200):        1,
		oldSecret + "\n" + newSecret:     2,
		oldSecret + "\r\nshort\n":        0,
		" " + oldSecret + " \n# words\n": 1,
	} {
		secrets, err := parseSecrets([]byte(text))
		if len(secrets) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d secrets, %v", text, len(secrets), err)
		}
		if err != nil && strings.Contains(err.Error(), "short") {
			t.Errorf("it shows what it found: %v", err)
		}
	}
}
