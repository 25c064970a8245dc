package archtest

import (
	"fmt"
	"slices"
	"testing"
)

// rootFolders are the folders that the root may have besides those that begin
// with a dot. bin is what `make build` leaves, logs what EGO writes when it is told
// to write files; git ignores both.
var rootFolders = []string{"bin", "cmd", "config", "dashboards", "logs", "migrations", "pkg", "scripts"}

func folderProblems(tr *tree) []string {
	var problems []string
	for name := range tr.folders {
		if !slices.Contains(rootFolders, name) {
			problems = append(problems, fmt.Sprintf("the root has a folder %s: code goes to pkg or cmd", name))
		}
	}
	slices.Sort(problems)
	return problems
}

func TestRootHasNoOtherFolders(t *testing.T) {
	accept(t, folderProblems(repository(t)))
}

func TestOtherFoldersAreRefused(t *testing.T) {
	refuse(t, folderProblems(invented(t, map[string]string{
		"pkg/id/a.go":          "package id",
		".ci/run":              "",
		"internal/x/x.go":      "package x",
		"tools/readme":         "",
		"pkg/internal/deep.go": "package internal",
	})), "folder internal", "folder tools")
}
