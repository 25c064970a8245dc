package archtest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// appFolder is where the programs' root structs are.
const appFolder = "pkg/app"

// roots are the programs' config files and the structs that they fill.
var roots = map[string]string{
	"ws-gateway.toml": "GatewayConfig",
	"ws-api.toml":     "APIConfig",
	"ws-dev.toml":     "DevConfig",
}

// commentedSetting is a setting that a file shows and does not set: "#key = 1"
// or "#[table]", with nothing between. Prose has a space after its number sign.
var commentedSetting = regexp.MustCompile(`(?m)^#([a-zA-Z0-9_]+ *=|\[)`)

// configProblems compares each file in config/ with its struct, both ways. A
// field may be shown commented out, but not left out: the file is its manual.
func configProblems(tr *tree, roots map[string]string) []string {
	var problems []string
	entries, err := os.ReadDir(filepath.Join(tr.root, "config"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{err.Error()}
	}
	present := map[string]bool{}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".toml" {
			continue
		}
		present[name] = true
		if roots[name] == "" {
			problems = append(problems, fmt.Sprintf("config/%s belongs to no program: name its struct in pkg/archtest/config_test.go", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(roots)) {
		want := settingsOf(tr, appFolder, roots[name])
		problems = append(problems, want.problems...)
		if !present[name] {
			problems = append(problems, fmt.Sprintf("config/%s, the file of %s, is missing", name, roots[name]))
			continue
		}
		problems = append(problems, fileProblems(filepath.Join(tr.root, "config", name), "config/"+name, want.leaves)...)
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

func fileProblems(path, name string, fields []string) []string {
	source, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	// As it stands, and with what it only shows.
	var plain, shown map[string]any
	if err := toml.Unmarshal(source, &plain); err != nil {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	if err := toml.Unmarshal(commentedSetting.ReplaceAll(source, []byte("$1")), &shown); err != nil {
		return []string{fmt.Sprintf("%s, with its commented settings taken in: %v", name, err)}
	}
	found := map[string]bool{}
	var problems []string
	for _, key := range keys(shown, "") {
		i := slices.IndexFunc(fields, func(field string) bool { return fits(field, key) })
		if i < 0 {
			problems = append(problems, fmt.Sprintf("%s: %s is no field of its struct", name, key))
			continue
		}
		found[fields[i]] = true
	}
	for _, field := range fields {
		if !found[field] {
			problems = append(problems, fmt.Sprintf("%s: %s is a field and is not in the file: set it, or show it as \"#key = value\"", name, field))
		}
	}
	return problems
}

// keys lists the paths of the values in a TOML document. An empty table or list
// of tables counts as a value: it may be all that a file shows of a map.
func keys(value any, at string) []string {
	var out []string
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			out = append(out, keys(v, join(at, k))...)
		}
	case []any:
		tables := false
		for _, element := range value {
			if table, ok := element.(map[string]any); ok {
				tables = true
				out = append(out, keys(table, at)...)
			}
		}
		if !tables {
			out = append(out, at)
		}
	default:
		out = append(out, at)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fits says whether a key is that field; a map's field takes any key.
func fits(field, key string) bool {
	want, got := strings.Split(field, "."), strings.Split(key, ".")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == anyKey || w == g })
}

func TestConfigFilesAndStructsAgree(t *testing.T) {
	tr := repository(t)
	accept(t, configProblems(tr, roots))
}

// Each package's own Config, before any program holds it.
func TestConfigFieldsAreTaggedAndDocumented(t *testing.T) {
	accept(t, fieldProblems(repository(t)))
}

func fieldProblems(tr *tree) []string {
	var problems []string
	for _, name := range tr.names() {
		w := walker{tr: tr}
		if _, spec, _ := w.declaration(name, "Config"); spec != nil && strings.HasPrefix(name, "pkg/") {
			problems = append(problems, settingsOf(tr, name, "Config").problems...)
		}
	}
	return slices.Compact(problems)
}

// app is a small right tree: what the tests below spoil.
func app() map[string]string {
	return map[string]string{
		"pkg/app/config.go": `package app
import (
	"sluice/pkg/bus"
	au "sluice/pkg/auth"
)
type GatewayConfig struct {
	common
	// Bus is what travels.
	Bus bus.Config ` + "`toml:\"bus\"`" + `
	// Auth is who may.
	Auth *au.Config ` + "`toml:\"auth\"`" + `
}
type common struct {
	// Name is its name.
	Name string ` + "`toml:\"name\"`" + `
	built int ` + "`toml:\"-\"`" + `
}
`,
		"pkg/bus/config.go": `package bus
import "time"
type Config struct {
	// Wait is long.
	Wait time.Duration ` + "`toml:\"wait,omitempty\"`" + `
	Topics []string ` + "`toml:\"topics\"`" + ` // Topics are many.
	// Level is one word.
	Level Level ` + "`toml:\"level\"`" + `
}
type Level struct { n int }
func (l *Level) UnmarshalText([]byte) error { return nil }
`,
		"pkg/auth/config.go": `package auth
// Config is who may.
type Config struct {
	// Types are ways to prove oneself.
	Types []Type ` + "`toml:\"type\"`" + `
	// Limits are by event.
	Limits map[string]Limit ` + "`toml:\"limits\"`" + `
}
type Type struct {
	// Key is secret.
	Key string ` + "`toml:\"key\"`" + `
}
type Limit struct {
	// Rate is a number.
	Rate float64 ` + "`toml:\"rate\"`" + `
}
`,
		"config/ws-gateway.toml": `
# name = prose is no setting
name = "x"
[bus]
wait = "5s"
topics = []
#level = "debug"
#[[auth.type]]
#key = ""
[auth.limits.chat]
rate = 1.5
`,
	}
}

func TestConfigThatDisagreesIsRefused(t *testing.T) {
	const config, settings = "pkg/bus/config.go", "config/ws-gateway.toml"
	for name, c := range map[string]struct {
		path, old, new string
		want           []string
	}{
		"nothing wrong": {path: settings},
		"an unknown key": {
			path: settings, old: "topics = []", new: "topics = []\nmissing = 1",
			want: []string{"bus.missing is no field"},
		},
		"an unknown key that is only shown": {
			path: settings, old: "topics = []", new: "topics = []\n#missing = 1",
			want: []string{"bus.missing is no field"},
		},
		"an unknown key in a list of tables": {
			path: settings, old: "#key = \"\"", new: "#key = \"\"\n#lock = 1",
			want: []string{"auth.type.lock is no field"},
		},
		"a field that the file leaves out": {
			path: settings, old: "#level = \"debug\"\n",
			want: []string{"bus.level is a field and is not in the file"},
		},
		"a field in a map that the file leaves out": {
			path: settings, old: "[auth.limits.chat]\nrate = 1.5\n",
			want: []string{"auth.limits.*.rate is a field and is not in the file"},
		},
		"a value where a table should be": {
			path: settings, old: "rate = 1.5", new: "rate.high = 1.5",
			want: []string{"auth.limits.chat.rate.high is no field", "auth.limits.*.rate is a field and is not"},
		},
		"a file that does not parse": {path: settings, old: "topics = []", new: "topics = [", want: []string{"toml: "}},
		"a key both set and shown": {
			path: settings, old: "#level = \"debug\"", new: "#wait = \"1s\"\n#level = \"debug\"",
			want: []string{"with its commented settings taken in"},
		},
		"a field without a comment": {
			path: config, old: "// Wait is long.\n",
			want: []string{"field Wait (bus.wait) has no comment"},
		},
		"a table that neither its field nor its type describes": {
			path: "pkg/app/config.go", old: "// Bus is what travels.\n",
			want: []string{"field Bus (bus) has no comment"},
		},
		"a table that its type describes": {
			path: "pkg/app/config.go", old: "// Auth is who may.\n",
		},
		"a field without a tag": {
			path: config, old: "`toml:\"topics\"`",
			want: []string{"bus.topics is no field", "field Topics needs a toml tag"},
		},
		"a tag that is not snake_case": {
			path: config, old: "toml:\"topics\"", new: "toml:\"theTopics\"",
			want: []string{"bus.topics is no field", "field Topics needs a toml tag in snake_case, has \"theTopics\""},
		},
		"a type that is not for settings": {
			path: config, old: "time.Duration", new: "time.Timer",
			want: []string{"bus.wait is no field", "time.Timer (\"bus.wait\") is not a type for settings"},
		},
		"a struct that is gone": {
			path: "pkg/app/config.go", old: "GatewayConfig", new: "EdgeConfig",
			want: []string{"name is no field", "limits.chat.rate is no field", "type.key is no field", "level is no field", "topics is no field", "wait is no field", "pkg/app has no type GatewayConfig"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := app()
			if c.old != "" && !strings.Contains(files[c.path], c.old) {
				t.Fatalf("%s does not hold %q", c.path, c.old)
			}
			files[c.path] = strings.Replace(files[c.path], c.old, c.new, 1)
			problems := configProblems(invented(t, files), map[string]string{"ws-gateway.toml": "GatewayConfig"})
			slices.Sort(problems)
			refuseAny(t, problems, c.want...)
		})
	}
}

// refuseAny is refuse for problems in any order.
func refuseAny(t *testing.T, problems []string, fragments ...string) {
	t.Helper()
	if len(problems) != len(fragments) {
		t.Fatalf("got %d problems, want %d:\n%s", len(problems), len(fragments), strings.Join(problems, "\n"))
	}
	for _, fragment := range fragments {
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, fragment) }) {
			t.Errorf("no problem holds %q:\n%s", fragment, strings.Join(problems, "\n"))
		}
	}
}

func TestConfigFilesWithoutAPartnerAreRefused(t *testing.T) {
	files := app()
	files["config/other.toml"] = "a = 1"
	delete(files, "config/ws-gateway.toml")
	refuse(t, configProblems(invented(t, files), map[string]string{"ws-gateway.toml": "GatewayConfig"}),
		"config/other.toml belongs to no program",
		"config/ws-gateway.toml, the file of GatewayConfig, is missing",
	)
}

func TestUndocumentedFieldsOfAPackageAreRefused(t *testing.T) {
	refuse(t, fieldProblems(invented(t, map[string]string{
		"pkg/a/config.go": "package a\ntype Config struct {\n\tX, Y int\n\t// Z is.\n\tZ Config `toml:\"z\"`\n}",
		"cmd/b/config.go": "package main\ntype Config struct { X int }",
	})),
		"type Config holds itself",
		"X: one field a line",
		"field X needs a toml tag",
	)
}
