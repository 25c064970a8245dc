package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// pure packages are bytes and time in, bytes and actions out.
var pure = []string{"pkg/id", "pkg/engineio", "pkg/socketio", "pkg/reason", "pkg/plainjson"}

// outside are the standard library's ways to the world. Names of net that only
// describe (net/url, net/netip) are harmless.
var outside = []string{
	"os", "os/exec", "os/signal", "io/ioutil", "net", "net/rpc", "syscall", "log", "log/slog", "database/sql", "plugin",
}

// clock are package time's functions that read a clock or wait on one. A pure
// package gets `now` as an argument or a function.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func purityProblems(tr *tree, pure []string) []string {
	var problems []string
	for _, name := range pure {
		for _, f := range tr.packages[name] {
			if f.test {
				continue
			}
			for _, imported := range f.imports() {
				if slices.Contains(outside, imported) {
					problems = append(problems, fmt.Sprintf("%s imports %s: %s does no I/O", f.path, imported, name))
				}
				if strings.Contains(imported, ".") {
					problems = append(problems, fmt.Sprintf("%s imports %s: %s needs the standard library only", f.path, imported, name))
				}
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					problems = append(problems, fmt.Sprintf("%s starts a goroutine: %s is called, it does not run", f.at(n), name))
				case *ast.SelectorExpr:
					x, ok := n.X.(*ast.Ident)
					if ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
						problems = append(problems, fmt.Sprintf("%s uses time.%s: %s is given the time", f.at(n), n.Sel.Name, name))
					}
					// The names of methods and statuses are words of the protocol.
					if ok && x.Name == "http" && !strings.HasPrefix(n.Sel.Name, "Method") && !strings.HasPrefix(n.Sel.Name, "Status") {
						problems = append(problems, fmt.Sprintf("%s uses http.%s: %s does no I/O", f.at(n), n.Sel.Name, name))
					}
				}
				return true
			})
		}
	}
	return problems
}

func TestPurePackagesDoNoInputOrOutput(t *testing.T) {
	accept(t, purityProblems(repository(t), pure))
}

func TestImpurityIsRefused(t *testing.T) {
	refuse(t, purityProblems(invented(t, map[string]string{
		"pkg/engineio/a.go": `package engineio
import (
	"net"
	"net/http"
	"time"
	_ "example.com/x"
)
var Wait = time.Second
var C net.Conn
var H http.Handler
var M = http.MethodGet
func F() { go F(); _ = time.Now() }
`,
		"pkg/engineio/a_test.go": "package engineio\nimport _ \"os\"",
		"pkg/free/a.go":          "package free\nimport _ \"os\"",
	}), []string{"pkg/engineio"}),
		"pkg/engineio/a.go imports net:",
		"imports example.com/x",
		"pkg/engineio/a.go:10 uses http.Handler",
		"pkg/engineio/a.go:12 starts a goroutine",
		"pkg/engineio/a.go:12 uses time.Now",
	)
}
