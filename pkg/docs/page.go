package docs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed page/*.html page/*.css page/*.js
var pageFiles embed.FS

// clientFiles are what the page loads from the official client's package.
var clientFiles = []string{"socket.io.min.js", "socket.io.min.js.map"}

// types are the content types of what is served; the system's table of them
// may say otherwise.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".map": "application/json",
}

// policy lets the page load and reach what comes from its own origin alone.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const notInstalled = "the Socket.IO client is not installed: run npm ci in pkg/docs/page"

// Page serves the example's page at /, its parts beside it, and under /client/
// the official Socket.IO client from clientDir: the dist folder of the npm
// package. As long as that is not there, the page says how to install it.
func Page(clientDir string) http.Handler {
	p := &page{clientDir: clientDir, parts: make(map[string]part)}
	for _, name := range pageNames() {
		body, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			panic(err) // it was listed from the same files
		}
		p.parts["/"+name] = newPart(name, body)
	}
	p.parts["/"] = p.parts["/index.html"]
	p.missing = template.Must(template.New("missing").Parse(string(p.parts["/missing.html"].body)))
	delete(p.parts, "/missing.html")
	return p
}

func pageNames() []string {
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is in the binary
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

type page struct {
	clientDir string
	parts     map[string]part // by path
	missing   *template.Template
}

// part is one file of the page.
type part struct {
	name string
	body []byte
	etag string
}

func newPart(name string, body []byte) part {
	sum := sha256.Sum256(body)
	return part{name: name, body: body, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // kept, but asked for: it changes with the program
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/client/"); ok {
		p.serveClient(w, r, name)
		return
	}
	part, found := p.parts[r.URL.Path]
	switch {
	case !found:
		http.NotFound(w, r)
	case part.name == "index.html" && !p.installed():
		p.serveMissing(w)
	default:
		h.Set("Content-Type", types[path.Ext(part.name)])
		h.Set("Content-Security-Policy", policy)
		h.Set("ETag", part.etag)
		http.ServeContent(w, r, part.name, time.Time{}, bytes.NewReader(part.body))
	}
}

// installed tells whether the client is there.
func (p *page) installed() bool {
	info, err := os.Stat(filepath.Join(p.clientDir, clientFiles[0]))
	return err == nil && info.Mode().IsRegular()
}

func (p *page) serveMissing(w http.ResponseWriter) {
	var b bytes.Buffer
	if err := p.missing.Execute(&b, p.clientDir); err != nil {
		http.Error(w, notInstalled, http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", types[".html"])
	h.Set("Content-Security-Policy", policy)
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(b.Bytes()) // a reader that left needs no answer
}

func (p *page) serveClient(w http.ResponseWriter, r *http.Request, name string) {
	if !slices.Contains(clientFiles, name) {
		http.NotFound(w, r)
		return
	}
	f, err := os.Open(filepath.Join(p.clientDir, name))
	if err != nil {
		http.Error(w, notInstalled, http.StatusNotFound)
		return
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.Error(w, notInstalled, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	http.ServeContent(w, r, name, info.ModTime(), f)
}
