package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// anyKey stands in a field's path for the keys of a map.
const anyKey = "*"

// Keys are snake_case; the sections that EGO reads have its own names, camelCase,
// and only the app holds those.
var (
	snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	camelCase = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
)

// settings are the keys of a configuration: "transport.ping_interval". Elements
// of a list of tables have the list's path.
type settings struct {
	leaves   []string // keys with a value
	problems []string
}

// walker follows config structs through the packages of a tree, by their source.
type walker struct {
	tr   *tree
	seen []string // types on the way down: a type in itself would not end
	out  *settings
}

// settingsOf lists the settings of the struct called name in the package at
// folder, and what is wrong with its fields: no toml tag, no comment.
func settingsOf(tr *tree, folder, name string) settings {
	w := walker{tr: tr, out: &settings{}}
	w.named(folder, name, "")
	slices.Sort(w.out.leaves)
	w.out.leaves = slices.Compact(w.out.leaves)
	slices.Sort(w.out.problems)
	w.out.problems = slices.Compact(w.out.problems)
	return *w.out
}

func (w *walker) problem(format string, arguments ...any) {
	w.out.problems = append(w.out.problems, fmt.Sprintf(format, arguments...))
}

// declaration finds a type and its comment in a package's files, tests left out.
func (w *walker) declaration(folder, name string) (*file, *ast.TypeSpec, *ast.CommentGroup) {
	for _, f := range w.tr.packages[folder] {
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			general, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				spec, ok := spec.(*ast.TypeSpec)
				if !ok || spec.Name.Name != name {
					continue
				}
				if spec.Doc != nil { // in a group of types
					return f, spec, spec.Doc
				}
				return f, spec, general.Doc
			}
		}
	}
	return nil, nil, nil
}

// textual says whether the type reads itself from one string.
func (w *walker) textual(folder, name string) bool {
	for _, f := range w.tr.packages[folder] {
		for _, d := range f.syntax.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "UnmarshalText" {
				continue
			}
			receiver := method.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if id, ok := receiver.(*ast.Ident); ok && id.Name == name {
				return true
			}
		}
	}
	return false
}

// named follows a type of one of our packages.
func (w *walker) named(folder, name, key string) {
	f, spec, _ := w.declaration(folder, name)
	if spec == nil {
		w.problem("%s has no type %s (wanted for %q)", folder, name, key)
		return
	}
	if w.textual(folder, name) {
		w.leaf(key)
		return
	}
	full := folder + "." + name
	if slices.Contains(w.seen, full) {
		w.problem("%s: type %s holds itself", f.at(spec), name)
		return
	}
	w.seen = append(w.seen, full)
	w.value(f, spec.Type, key)
	w.seen = w.seen[:len(w.seen)-1]
}

// value follows the type of a value at key.
func (w *walker) value(f *file, kind ast.Expr, key string) {
	switch kind := kind.(type) {
	case *ast.StructType:
		for _, field := range kind.Fields.List {
			w.field(f, field, key)
		}
	case *ast.StarExpr:
		w.value(f, kind.X, key)
	case *ast.ArrayType:
		w.value(f, kind.Elt, key)
	case *ast.MapType:
		w.value(f, kind.Value, join(key, anyKey))
	case *ast.Ident:
		if basic(kind.Name) {
			w.leaf(key)
			return
		}
		w.named(f.folder, kind.Name, key)
	case *ast.SelectorExpr:
		w.foreign(f, kind, key)
	default:
		w.problem("%s: a setting cannot have this type (%q)", f.at(kind), key)
	}
}

// foreign follows a type of another package: ours by its source, and of others
// only those that are one value.
func (w *walker) foreign(f *file, kind *ast.SelectorExpr, key string) {
	local := ""
	if x, ok := kind.X.(*ast.Ident); ok {
		local = x.Name
	}
	imported := f.resolve(local)
	if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
		w.named(folder, kind.Sel.Name, key)
		return
	}
	if imported == "time" && (kind.Sel.Name == "Duration" || kind.Sel.Name == "Time") {
		w.leaf(key)
		return
	}
	w.problem("%s: %s.%s (%q) is not a type for settings", f.at(kind), local, kind.Sel.Name, key)
}

// resolve returns the import path behind a package's name in this file.
func (f *file) resolve(local string) string {
	for _, spec := range f.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if spec.Name != nil && spec.Name.Name == local || spec.Name == nil && path.Base(imported) == local {
			return imported
		}
	}
	return ""
}

// field follows one field of a struct, which must have a toml tag and a comment.
func (w *walker) field(f *file, field *ast.Field, key string) {
	name := fieldName(field)
	tag := ""
	if field.Tag != nil {
		if unquoted, err := strconv.Unquote(field.Tag.Value); err == nil {
			tag, _, _ = strings.Cut(reflect.StructTag(unquoted).Get("toml"), ",")
		}
	}
	if tag == "-" {
		return
	}
	if len(field.Names) == 0 && tag == "" {
		// Embedded: its keys are the struct's own.
		w.value(f, field.Type, key)
		return
	}
	if len(field.Names) > 1 {
		w.problem("%s: %s: one field a line, each with its comment", f.at(field), name)
	}
	if !snakeCase.MatchString(tag) && !(f.folder == appFolder && camelCase.MatchString(tag)) {
		w.problem("%s: field %s needs a toml tag in snake_case, has %q", f.at(field), name, tag)
		return
	}
	if field.Doc.Text() == "" && field.Comment.Text() == "" && !w.described(f, field.Type) {
		w.problem("%s: field %s (%s) has no comment: unit, default, what zero means, reason to change it", f.at(field), name, join(key, tag))
	}
	w.value(f, field.Type, join(key, tag))
}

// described says whether a table's type says what the table is for, so that its
// field need not say it again.
func (w *walker) described(f *file, kind ast.Expr) bool {
	switch kind := kind.(type) {
	case *ast.StarExpr:
		return w.described(f, kind.X)
	case *ast.ArrayType:
		return w.described(f, kind.Elt)
	case *ast.MapType:
		return w.described(f, kind.Value)
	case *ast.Ident:
		return w.documented(f.folder, kind.Name)
	case *ast.SelectorExpr:
		x, ok := kind.X.(*ast.Ident)
		if !ok {
			return false
		}
		folder, ours := strings.CutPrefix(f.resolve(x.Name), module+"/")
		return ours && w.documented(folder, kind.Sel.Name)
	}
	return false
}

func (w *walker) documented(folder, name string) bool {
	_, spec, doc := w.declaration(folder, name)
	if spec == nil {
		return false
	}
	_, table := spec.Type.(*ast.StructType)
	return table && doc.Text() != ""
}

func (w *walker) leaf(key string) { w.out.leaves = append(w.out.leaves, key) }

func fieldName(field *ast.Field) string {
	if len(field.Names) > 0 {
		return field.Names[0].Name
	}
	return "embedded"
}

func join(key, more string) string {
	if key == "" {
		return more
	}
	return key + "." + more
}

func basic(name string) bool {
	return slices.Contains([]string{
		"string", "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "any",
	}, name)
}
