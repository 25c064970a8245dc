package archtest

import (
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// limitsFile says what the edges accept. Its tables have the columns input,
// answer, keys, tests and, for clients, played: kinds of the attack test.
const limitsFile = "LIMITS.md"

// quoted is a name in backquotes.
var quoted = regexp.MustCompile("`([^`]+)`")

// limitsProblems looks for keys that no program has, tests that are not there,
// kinds of attack that nobody plays, and rows that are proven by nothing.
func limitsProblems(tr *tree, roots map[string]string) []string {
	source, err := os.ReadFile(filepath.Join(tr.root, limitsFile))
	if err != nil {
		return []string{err.Error()}
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Values(roots)) {
		fields = append(fields, settingsOf(tr, appFolder, name).leaves...)
	}
	tests, texts := testNames(tr), testTexts(tr, "pkg/e2e")
	var problems []string
	rows := 0
	for line := range strings.Lines(string(source)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) < 4 || strings.HasPrefix(cells[0], "-") || strings.TrimSpace(cells[3]) == "tests" {
			continue
		}
		rows++
		bad := func(format string, arguments ...any) {
			problems = append(problems, fmt.Sprintf("%s: %q %s", limitsFile, strings.TrimSpace(cells[0]), fmt.Sprintf(format, arguments...)))
		}
		for _, key := range quoted.FindAllStringSubmatch(cells[2], -1) {
			if !slices.ContainsFunc(fields, func(f string) bool { return fits(f, key[1]) }) {
				bad("names the key %s, which no program has", key[1])
			}
		}
		named := quoted.FindAllStringSubmatch(cells[3], -1)
		if len(named) == 0 {
			bad("names no test")
		}
		for _, test := range named {
			if !tests[test[1]] {
				bad("names the test %s, which is not there", test[1])
			}
		}
		if len(cells) > 4 {
			for kind := range strings.SplitSeq(cells[4], ";") {
				if kind = strings.TrimSpace(kind); kind != "" && !texts[kind] {
					bad("is said to be played as %q, which nobody plays", kind)
				}
			}
		}
	}
	if rows == 0 {
		problems = append(problems, limitsFile+" has no rows")
	}
	return problems
}

// testNames lists the tests of the packages below pkg: "transport.TestOrigins".
func testNames(tr *tree) map[string]bool {
	all := map[string]bool{}
	for _, f := range tr.files {
		name, ok := strings.CutPrefix(f.folder, "pkg/")
		if !f.test || !ok {
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				all[name+"."+fn.Name.Name] = true
			}
		}
	}
	return all
}

// testTexts lists the string literals of a package's tests.
func testTexts(tr *tree, folder string) map[string]bool {
	all := map[string]bool{}
	for _, f := range tr.packages[folder] {
		if !f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					all[s] = true
				}
			}
			return true
		})
	}
	return all
}

func TestLimitsAreProven(t *testing.T) {
	accept(t, limitsProblems(repository(t), roots))
}

func TestUnprovenLimitsAreRefused(t *testing.T) {
	tr := invented(t, map[string]string{
		"pkg/app/config.go":      "package app\n\n// C is.\ntype C struct {\n\t// A is. Default 1.\n\tA int `toml:\"a\"`\n}\n",
		"pkg/x/x_test.go":        "package x\n\nfunc TestThere() {}\n",
		"pkg/e2e/attack_test.go": "package e2e\n\nvar kinds = []string{\"a flood\"}\n",
		"LIMITS.md": "| input | answer | keys | tests | played |\n|---|---|---|---|---|\n" +
			"| good | no | `a` | `x.TestThere` | a flood |\n" +
			"| bad key | no | `b` | `x.TestThere` |\n" +
			"| bad test | no | | `x.TestGone` |\n" +
			"| no test | no | `a` | |\n" +
			"| bad kind | no | `a` | `x.TestThere` | a flood; a trickle |\n",
	})
	refuse(t, limitsProblems(tr, map[string]string{"c.toml": "C"}),
		"the key b", "x.TestGone", `"no test" names no test`, `played as "a trickle"`)
	refuse(t, limitsProblems(invented(t, map[string]string{"LIMITS.md": "nothing"}), nil), "has no rows")
}
