package archtest

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// metricName finds the names of our own metrics in dashboards and alerts.
var metricName = regexp.MustCompile(`sluice_[a-z0-9_]+`)

// dashboardProblems finds metrics that a dashboard shows and no package counts:
// a panel of such a metric is empty for ever, and an alert never fires.
func dashboardProblems(tr *tree) []string {
	texts := map[string][]string{} // string literals of pkg/<area>, by area
	for _, f := range tr.files {
		if area, ok := strings.CutPrefix(f.folder, "pkg/"); ok && !f.test {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						texts[area] = append(texts[area], s)
					}
				}
				return true
			})
		}
	}
	entries, err := os.ReadDir(filepath.Join(tr.root, "dashboards"))
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, e := range entries {
		source, err := os.ReadFile(filepath.Join(tr.root, "dashboards", e.Name()))
		if err != nil {
			return []string{err.Error()}
		}
		for _, name := range metricName.FindAllString(string(source), -1) {
			if !counted(strings.TrimSuffix(name, "_bucket"), texts) {
				problems = append(problems, fmt.Sprintf("dashboards/%s shows %s, which nobody counts", e.Name(), name))
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// counted tells whether a package registers the metric sluice_<area>_<rest>,
// whole or as the rest behind its own prefix.
func counted(name string, texts map[string][]string) bool {
	area, rest, _ := strings.Cut(strings.TrimPrefix(name, "sluice_"), "_")
	return slices.Contains(texts[area], name) || slices.Contains(texts[area], rest)
}

func TestDashboardsShowWhatIsCounted(t *testing.T) {
	accept(t, dashboardProblems(repository(t)))
}

func TestDashboardsOfUnknownMetricsAreRefused(t *testing.T) {
	tr := invented(t, map[string]string{
		"pkg/a/metrics.go":    "package a\n\nvar names = []string{\"sluice_a_whole_total\", \"rest_seconds\"}\n",
		"dashboards/x.json":   `{"expr":"rate(sluice_a_whole_total[1m]) + sluice_a_rest_seconds_bucket"}`,
		"dashboards/bad.yaml": "expr: sluice_a_nobody_total > 0 and sluice_b_rest_seconds > 0",
	})
	refuse(t, dashboardProblems(tr), "sluice_a_nobody_total", "sluice_b_rest_seconds")
}
