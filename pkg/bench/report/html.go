package report

import (
	_ "embed"
	"html/template"
	"io"
	"strconv"
	"strings"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"charts":   charts,
	"draw":     func(c chart, r Run) template.HTML { return draw(c, r.Series) },
	"bytes":    size,
	"number":   func(v float64) string { return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00") },
	"groups":   func(r *Report) []group { return r.groups() },
	"compared": func(r *Report) []comparison { return r.comparisons() },
}).Parse(pageText))

// WriteHTML writes a page that needs nothing else: no script, no font, no
// picture from anywhere.
func (r *Report) WriteHTML(w io.Writer) error {
	return page.Execute(w, r)
}
