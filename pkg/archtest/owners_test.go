package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// owner says who may use an outside library. The longest import path that fits
// decides; a library that no line names is free.
type owner struct {
	library string   // an import path and all below it
	by      []string // packages; anywhere for all
	tests   bool     // test files of any package besides
	oneFile bool     // one file of the whole module (test files not counted)
}

const anywhere = "*"

// owners is who may use what. pkg/app builds every client and server, so it
// stands in most lines.
var owners = []owner{
	{library: "github.com/gorilla/websocket", by: []string{"pkg/transport"}, tests: true, oneFile: true},

	// EGO: its logger is everybody's, its builders are the app's.
	{library: "github.com/gotomicro/ego", by: []string{"pkg/app"}},
	{library: "github.com/gotomicro/ego/core/elog", by: []string{anywhere}},
	{library: "github.com/gotomicro/ego/core/econf", by: []string{"pkg/app", "pkg/bus", "pkg/redistest"}}, // ekafka and eredis are configured through it
	{library: "github.com/gotomicro/ego-component/ekafka", by: []string{"pkg/bus", "pkg/app"}},
	{library: "github.com/gotomicro/ego-component/eredis", by: []string{"pkg/session", "pkg/stream", "pkg/app", "pkg/redistest"}, tests: true},

	// The outside systems.
	{library: "github.com/segmentio/kafka-go", by: []string{"pkg/bus", "pkg/app", "scripts/probe"}, tests: true},
	{library: "github.com/go-redis/redis", by: []string{"pkg/session", "pkg/stream", "pkg/app", "pkg/redistest", "scripts/probe"}, tests: true},
	{library: "gorm.io", by: []string{"pkg/replica", "pkg/app"}, tests: true},
	{library: "github.com/go-sql-driver/mysql", by: []string{"pkg/replica", "pkg/app", "scripts/probe"}, tests: true},
	{library: "github.com/pressly/goose", by: []string{"migrations"}},
	{library: "github.com/golang-jwt/jwt", by: []string{"pkg/auth"}, tests: true},
	{library: "github.com/sony/gobreaker", by: []string{"pkg/auth"}},
	{library: "google.golang.org/grpc", by: []string{
		"pkg/proto/sluice/v1", "pkg/proto/mesh/v1", "pkg/mesh", "pkg/auth", "pkg/component", "pkg/api", "pkg/app", "cmd/wsctl",
	}, tests: true},

	// The embedded services.
	{library: "github.com/twmb/franz-go", by: []string{"pkg/embedded"}, tests: true},
	{library: "github.com/alicebob/miniredis", by: []string{"pkg/embedded", "pkg/redistest"}, tests: true},
	{library: "github.com/glebarez", by: []string{"pkg/replica"}, tests: true}, // one code path for MySQL and SQLite

	// One library a job.
	{library: "github.com/go-viper/mapstructure", by: []string{"pkg/settings"}},
	{library: "github.com/pelletier/go-toml", by: []string{"pkg/settings", "pkg/app"}, tests: true}, // the app writes what EGO reads
	{library: "log/slog", by: nil},
	{library: "log", by: []string{"pkg/app"}, tests: true}, // net/http wants one for its own complaints
	{library: "github.com/stretchr/testify", by: nil},
}

// ownerOf returns the line that decides over an import path.
func ownerOf(owners []owner, imported string) (owner, bool) {
	var best owner
	found := false
	for _, o := range owners {
		if imported != o.library && !strings.HasPrefix(imported, o.library+"/") {
			continue
		}
		if !found || len(o.library) > len(best.library) {
			best, found = o, true
		}
	}
	return best, found
}

func ownerProblems(tr *tree, owners []owner) []string {
	var problems []string
	files := map[string][]string{} // of each library that is for one file
	for _, f := range tr.files {
		for _, imported := range f.imports() {
			o, ok := ownerOf(owners, imported)
			if !ok {
				continue
			}
			if !(f.test && o.tests) && !slices.Contains(o.by, anywhere) && !slices.Contains(o.by, f.folder) {
				problems = append(problems, fmt.Sprintf("%s imports %s, which is for %s only", f.path, imported, o.who()))
			}
			if o.oneFile && !f.test {
				files[o.library] = append(files[o.library], f.path)
			}
		}
	}
	for library, users := range files {
		if len(users) > 1 {
			problems = append(problems, fmt.Sprintf("%s is imported by %s: keep it in one file", library, strings.Join(users, " and ")))
		}
	}
	slices.Sort(problems)
	return problems
}

func (o owner) who() string {
	who := strings.Join(o.by, ", ")
	if who == "" {
		who = "nobody"
	}
	if o.tests {
		who += " and tests"
	}
	return who
}

func TestOutsideLibrariesStayWithTheirOwners(t *testing.T) {
	accept(t, ownerProblems(repository(t), owners))
}

func TestOwnersRefuseStrangers(t *testing.T) {
	gorilla := "import _ \"github.com/gorilla/websocket\"\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"the owner, in one file": {files: map[string]string{
			"pkg/transport/socket.go":      "package transport\n" + gorilla,
			"pkg/transport/socket_test.go": "package transport\n" + gorilla,
			"pkg/gateway/a_test.go":        "package gateway\n" + gorilla,
		}},
		"a second file": {
			files: map[string]string{
				"pkg/transport/a.go": "package transport\n" + gorilla,
				"pkg/transport/b.go": "package transport\n" + gorilla,
			},
			want: []string{"imported by pkg/transport/a.go and pkg/transport/b.go"},
		},
		"a stranger": {
			files: map[string]string{"pkg/mesh/a.go": "package mesh\n" + gorilla},
			want:  []string{"pkg/mesh/a.go imports github.com/gorilla/websocket, which is for pkg/transport and tests only"},
		},
		"the logger anywhere": {files: map[string]string{
			"pkg/mesh/a.go": "package mesh\nimport _ \"github.com/gotomicro/ego/core/elog\"",
		}},
		"builders outside the app, even in tests": {
			files: map[string]string{
				"pkg/app/a.go":       "package app\nimport _ \"github.com/gotomicro/ego\"",
				"pkg/mesh/a.go":      "package mesh\nimport _ \"github.com/gotomicro/ego\"",
				"pkg/mesh/b_test.go": "package mesh\nimport _ \"github.com/gotomicro/ego/server/egrpc\"",
				"pkg/session/a.go":   "package session\nimport _ \"github.com/gotomicro/ego/client/egrpc\"",
			},
			want: []string{
				"pkg/mesh/a.go imports github.com/gotomicro/ego, which is for pkg/app only",
				"pkg/mesh/b_test.go imports github.com/gotomicro/ego/server/egrpc",
				"pkg/session/a.go imports github.com/gotomicro/ego/client/egrpc",
			},
		},
		"a name that only begins alike": {files: map[string]string{
			"pkg/mesh/a.go": "package mesh\nimport _ \"github.com/gotomicro/egoist\"",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			refuse(t, ownerProblems(invented(t, c.files), owners), c.want...)
		})
	}
}
