package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is what import paths inside the repository begin with.
const module = "sluice"

// tree is the source of a module, or of an invented one.
type tree struct {
	root     string              // where it lies on disk
	files    []*file             // every Go file
	packages map[string][]*file  // by folder, "pkg/id"
	folders  map[string]struct{} // of the root, dot folders left out
}

type file struct {
	path      string // from the root, with slashes
	folder    string // its package: "pkg/id"
	test      bool
	generated bool
	syntax    *ast.File
	set       *token.FileSet
}

// imports returns the file's import paths.
func (f *file) imports() []string {
	paths := make([]string, 0, len(f.syntax.Imports))
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// at says where in the tree a node stands.
func (f *file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// repository reads the module that this test is part of. It goes through
// package os, which go test watches: a cached result ends when a file changes.
func repository(t *testing.T) *tree {
	t.Helper()
	return read(t, filepath.Join("..", ".."))
}

// invented writes the files and reads them as a tree.
func invented(t *testing.T, files map[string]string) *tree {
	t.Helper()
	root := t.TempDir()
	for name, body := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return read(t, root)
}

func read(t *testing.T, root string) *tree {
	t.Helper()
	tr := &tree{root: root, packages: map[string][]*file{}, folders: map[string]struct{}{}}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel == "." {
				return nil
			}
			base := entry.Name()
			if strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
			if !strings.Contains(rel, "/") {
				tr.folders[rel] = struct{}{}
			}
			return nil
		}
		if strings.HasSuffix(rel, ".go") {
			return tr.add(name, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr *tree) add(name, rel string) error {
	source, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, rel, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{
		path:      rel,
		folder:    path.Dir(rel),
		test:      strings.HasSuffix(rel, "_test.go"),
		generated: ast.IsGenerated(syntax),
		syntax:    syntax,
		set:       set,
	}
	tr.files = append(tr.files, f)
	tr.packages[f.folder] = append(tr.packages[f.folder], f)
	return nil
}

// names returns the packages' folders in order.
func (tr *tree) names() []string {
	names := make([]string, 0, len(tr.packages))
	for name := range tr.packages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// accept fails the test for each problem.
func accept(t *testing.T, problems []string) {
	t.Helper()
	for _, problem := range problems {
		t.Error(problem)
	}
}

// refuse fails the test unless the problems are as many as the fragments, and
// each holds its fragment.
func refuse(t *testing.T, problems []string, fragments ...string) {
	t.Helper()
	if len(problems) != len(fragments) {
		t.Fatalf("got %d problems, want %d:\n%s", len(problems), len(fragments), strings.Join(problems, "\n"))
	}
	for i, fragment := range fragments {
		if !strings.Contains(problems[i], fragment) {
			t.Errorf("problem %d is %q, want it to hold %q", i, problems[i], fragment)
		}
	}
}
