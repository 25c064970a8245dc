package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// place is a package's place on the ladder. It may import packages of lower
// steps only, and of those only the ones that are named, or all with below.
type place struct {
	step  int
	may   []string
	below bool
	// Test files may import the same, and these besides.
	tests []string
}

// ladder is the map of the module: every package stands here.
var ladder = map[string]place{
	// Pure: bytes and time in, bytes and actions out. migrations is here because
	// it holds SQL and imports nothing of ours.
	"pkg/id":              {step: 0},
	"pkg/engineio":        {step: 0},
	"pkg/socketio":        {step: 0},
	"pkg/reason":          {step: 0},
	"pkg/plainjson":       {step: 0},
	"pkg/proto/sluice/v1": {step: 0},
	"pkg/proto/mesh/v1":   {step: 0},
	"migrations":          {step: 0},
	// The outside systems in this process, for ws-dev and for the tests of those
	// that own the real ones; at the bottom because it knows none of them.
	"pkg/embedded": {step: 0},
	// Where the tests of those that own Redis run.
	"pkg/redistest": {step: 0},
	// Strict TOML, for the programs that read files.
	"pkg/settings": {step: 0},
	// How very many descriptors are waited for: the client port's and the
	// sessions' are, and those two do not know each other.
	"pkg/epoll": {step: 0},
	// Certificates that nobody else trusts: for tests, and for what is measured.
	"pkg/devcert": {step: 0},
	// What ws-bench counts with.
	"pkg/bench/tally": {step: 0},
	// Gateways and an API as processes, for ws-bench and bench-peers.
	"pkg/bench/launch": {step: 0},
	// A server to try ws-bench on; it knows nothing of its clients.
	"pkg/bench/stand": {step: 0},

	// Each owns one outside system.
	"pkg/edge":      {step: 1, may: []string{"pkg/epoll"}, tests: []string{"pkg/devcert"}},
	"pkg/transport": {step: 1, may: []string{"pkg/engineio", "pkg/reason", "pkg/epoll"}},
	"pkg/bus":       {step: 1, may: []string{"pkg/id"}, tests: []string{"pkg/devcert"}},
	"pkg/session":   {step: 1, may: []string{"pkg/id"}, tests: []string{"pkg/redistest"}},
	"pkg/stream":    {step: 1, may: []string{"pkg/id"}, tests: []string{"pkg/redistest"}},
	"pkg/replica":   {step: 1, may: []string{"pkg/id"}, tests: []string{"migrations"}},
	"pkg/auth":      {step: 1, may: []string{"pkg/id", "pkg/proto/sluice/v1"}},                               // it asks components that verify
	"pkg/mesh":      {step: 1, may: []string{"pkg/id", "pkg/proto/mesh/v1"}, tests: []string{"pkg/devcert"}}, // its messages are generated
	"pkg/overload":  {step: 1},
	"pkg/component": {step: 1, may: []string{"pkg/proto/sluice/v1"}, tests: []string{"pkg/devcert"}},
	// The clients of ws-bench speak for themselves: a mistake in socketio or
	// engineio is not to be made at both ends.
	"pkg/bench/report": {step: 1, may: []string{"pkg/bench/tally"}},
	"pkg/bench/swarm":  {step: 1, may: []string{"pkg/bench/tally"}, tests: []string{"pkg/bench/stand"}},

	// What a connection means, and what a component may ask.
	"pkg/gateway": {step: 2, may: []string{
		"pkg/transport", "pkg/edge", "pkg/socketio", "pkg/auth", "pkg/bus", "pkg/session", "pkg/stream", "pkg/overload", "pkg/id", "pkg/reason",
		"pkg/plainjson",
		"pkg/proto/mesh/v1", // it answers the mesh's calls and control requests as they are
		"pkg/engineio",      // whose errors it sees come back from other gateways
	}},
	"pkg/api": {step: 2, may: []string{
		"pkg/proto/sluice/v1", "pkg/proto/mesh/v1", "pkg/bus", "pkg/session", "pkg/stream", "pkg/id", "pkg/reason",
	}, tests: []string{"pkg/devcert", "pkg/redistest"}},

	// The example component of ws-dev and its page: written as a component's team
	// would write it, with the SDK alone.
	"pkg/docs": {step: 2, may: []string{"pkg/component", "pkg/proto/sluice/v1"}},
	// ws-bench: a component with very many clients of its own.
	"pkg/bench": {step: 2, may: []string{
		"pkg/component", "pkg/devcert", "pkg/embedded", "pkg/settings",
		"pkg/bench/launch", "pkg/bench/report", "pkg/bench/stand", "pkg/bench/swarm", "pkg/bench/tally",
	}},
	// The same for the component that the client tests talk to.
	"pkg/echo": {step: 2, may: []string{"pkg/component", "pkg/proto/sluice/v1"}},

	// The only reader of config and builder of servers.
	"pkg/app": {step: 3, below: true},

	// A main names its service and nothing else; the two tools are programs of
	// their own.
	"cmd/ws-gateway": {step: 4, may: []string{"pkg/app"}},
	"cmd/ws-api":     {step: 4, may: []string{"pkg/app"}},
	"cmd/ws-dev":     {step: 4, may: []string{"pkg/app"}},
	"cmd/ws-bench":   {step: 4, may: []string{"pkg/bench"}},
	"cmd/wsctl":      {step: 4, below: true},

	// Tests of the whole, and what the scripts run.
	"pkg/archtest":  {step: 5},
	"pkg/e2e":       {step: 5, below: true},
	"scripts/probe": {step: 5},
	// make bench-peers: a server of Sluice's parts, and what measures it and the
	// peers, which are modules of their own.
	"scripts/peers/plain": {step: 5, may: []string{"pkg/edge", "pkg/socketio", "pkg/transport"}},
	"scripts/peers/drive": {step: 5, may: []string{"pkg/bench/launch", "pkg/component", "pkg/devcert", "pkg/embedded"}},
}

// ladderProblems compares every import with the map.
func ladderProblems(tr *tree, ladder map[string]place) []string {
	var problems []string
	for _, name := range tr.names() {
		from, ok := ladder[name]
		if !ok {
			problems = append(problems, fmt.Sprintf("%s is not on the map in pkg/archtest/ladder_test.go: give it a step and its edges", name))
			continue
		}
		for _, f := range tr.packages[name] {
			for _, imported := range f.imports() {
				if to, ok := strings.CutPrefix(imported, module+"/"); ok && !(f.test && to == name) {
					if problem := edge(f, from, to, ladder); problem != "" {
						problems = append(problems, problem)
					}
				}
			}
		}
	}
	return problems
}

// edge says what is wrong with f, which stands at from, importing to.
func edge(f *file, from place, to string, ladder map[string]place) string {
	target, ok := ladder[to]
	switch {
	case !ok:
		return fmt.Sprintf("%s imports %s, which is not on the map", f.path, to)
	case target.step > from.step:
		return fmt.Sprintf("%s imports %s: up the ladder, from step %d to %d", f.path, to, from.step, target.step)
	case target.step == from.step:
		return fmt.Sprintf("%s imports %s: along step %d", f.path, to, from.step)
	case from.below, slices.Contains(from.may, to), f.test && slices.Contains(from.tests, to):
		return ""
	default:
		return fmt.Sprintf("%s imports %s: no such edge on the map", f.path, to)
	}
}

// mapProblems finds mistakes in the map itself.
func mapProblems(ladder map[string]place) []string {
	var problems []string
	for name, from := range ladder {
		for _, to := range slices.Concat(from.may, from.tests) {
			target, ok := ladder[to]
			if !ok {
				problems = append(problems, fmt.Sprintf("the map lets %s import %s, which is not on it", name, to))
			} else if target.step >= from.step {
				problems = append(problems, fmt.Sprintf("the map lets %s (step %d) import %s (step %d)", name, from.step, to, target.step))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

func TestImportsGoDownTheLadder(t *testing.T) {
	accept(t, ladderProblems(repository(t), ladder))
}

func TestTheMapItselfOnlyGoesDown(t *testing.T) {
	accept(t, mapProblems(ladder))
	refuse(t, mapProblems(map[string]place{
		"pkg/a": {step: 1, may: []string{"pkg/b"}},
		"pkg/b": {step: 1, tests: []string{"pkg/c"}},
	}), "lets pkg/a (step 1) import pkg/b (step 1)", "lets pkg/b import pkg/c, which is not on it")
}

func TestLadderRefusesWrongImports(t *testing.T) {
	places := map[string]place{
		"pkg/low":   {step: 0},
		"pkg/other": {step: 0},
		"pkg/mid":   {step: 1, may: []string{"pkg/low"}, tests: []string{"pkg/other"}},
		"pkg/side":  {step: 1},
		"pkg/top":   {step: 2, below: true},
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"down, as the map says": {files: map[string]string{
			"pkg/mid/m.go":      "package mid\nimport _ \"sluice/pkg/low\"",
			"pkg/mid/m_test.go": "package mid_test\nimport (\n_ \"sluice/pkg/mid\"\n_ \"sluice/pkg/other\"\n)",
			"pkg/top/t.go":      "package top\nimport (\n_ \"sluice/pkg/other\"\n_ \"sluice/pkg/mid\"\n)",
		}},
		"up": {
			files: map[string]string{"pkg/low/l.go": "package low\nimport _ \"sluice/pkg/mid\""},
			want:  []string{"up the ladder"},
		},
		"along, in a test": {
			files: map[string]string{"pkg/mid/m_test.go": "package mid\nimport _ \"sluice/pkg/side\""},
			want:  []string{"along step 1"},
		},
		"down, but not on the map": {
			files: map[string]string{"pkg/mid/m.go": "package mid\nimport _ \"sluice/pkg/other\""},
			want:  []string{"no such edge"},
		},
		"a new package": {
			files: map[string]string{"pkg/new/n.go": "package new"},
			want:  []string{"pkg/new is not on the map"},
		},
		"a package below a known one": {
			files: map[string]string{"pkg/top/sub/n.go": "package sub"},
			want:  []string{"pkg/top/sub is not on the map"},
		},
		"a module of its own": {
			files: map[string]string{
				"pkg/low/l.go": "package low", "scripts/m/go.mod": "module m",
				"scripts/m/m.go": "package m\nimport _ \"sluice/pkg/new\"", "scripts/m/sub/s.go": "package sub",
			},
		},
		"an import of a new package": {
			files: map[string]string{"pkg/top/t.go": "package top\nimport _ \"sluice/pkg/new\""},
			want:  []string{"imports pkg/new, which is not on the map"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			refuse(t, ladderProblems(invented(t, c.files), places), c.want...)
		})
	}
}
