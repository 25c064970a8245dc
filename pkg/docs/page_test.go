package docs

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// clientDir returns a folder with a client in it.
func clientDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"socket.io.min.js", "socket.io.min.js.map", "socket.io.js"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("/* "+name+" */"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func request(t *testing.T, h http.Handler, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	defer func() { _ = resp.Body.Close() }() // of memory
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

var (
	linked   = regexp.MustCompile(`(?:src|href)="(/[^"]*)"`)
	imported = regexp.MustCompile(`(?m)^import .* from '\.(/[^']*)';$`)
)

func TestPageAndEverythingItLoadsIsServed(t *testing.T) {
	h := Page(clientDir(t))
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".map": "application/json"}
	resp, body := request(t, h, http.MethodGet, "/?doc=welcome")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("the page is %d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if !strings.Contains(resp.Header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Fatal("the page may load scripts from anywhere")
	}
	todo := []string{"/client/socket.io.min.js.map"}
	for _, m := range linked.FindAllStringSubmatch(body, -1) {
		todo = append(todo, m[1])
	}
	seen := map[string]bool{}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		resp, body := request(t, h, http.MethodGet, path)
		if want := kinds[filepath.Ext(path)]; resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != want {
			t.Errorf("%s is %d, %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		for _, m := range imported.FindAllStringSubmatch(body, -1) {
			todo = append(todo, m[1])
		}
	}
	for _, path := range []string{"/client/socket.io.min.js", "/style.css", "/app.js", "/element.js"} {
		if !seen[path] {
			t.Errorf("the page does not load %s", path)
		}
	}
}

func TestPageIsAskedForAgainAndNotSentAgain(t *testing.T) {
	h := Page(clientDir(t))
	resp, _ := request(t, h, http.MethodGet, "/app.js")
	tag := resp.Header.Get("ETag")
	if tag == "" || resp.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("tag %q, %s", tag, resp.Header.Get("Cache-Control"))
	}
	if resp, _ := request(t, h, http.MethodGet, "/app.js", "If-None-Match", tag); resp.StatusCode != http.StatusNotModified {
		t.Fatalf("got %d", resp.StatusCode)
	}
}

func TestMissingClientIsExplained(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "<dist>")
	h := Page(dir)
	resp, body := request(t, h, http.MethodGet, "/")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "npm ci") {
		t.Fatalf("got %d: %s", resp.StatusCode, body)
	}
	if strings.Contains(body, "<dist>") || !strings.Contains(body, "&lt;dist&gt;") {
		t.Fatalf("the folder stands in it as it is: %s", body)
	}
	resp, body = request(t, h, http.MethodGet, "/client/socket.io.min.js")
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "npm ci") {
		t.Fatalf("got %d: %s", resp.StatusCode, body)
	}
	// Once it is installed the same handler serves the page.
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "socket.io.min.js"), []byte("io"), 0o600); err != nil {
		t.Fatal(err)
	}
	if resp, _ := request(t, h, http.MethodGet, "/"); resp.StatusCode != http.StatusOK {
		t.Fatalf("got %d after the installation", resp.StatusCode)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	h := Page(clientDir(t))
	for _, path := range []string{
		"/missing.html", "/package.json", "/package-lock.json", "/nothing", "/page/app.js",
		"/client/", "/client/socket.io.js", "/client/..%2fpackage.json", "/client/../../go.mod",
	} {
		if resp, _ := request(t, h, http.MethodGet, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s is %d", path, resp.StatusCode)
		}
	}
	if resp, _ := request(t, h, http.MethodPost, "/"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") == "" {
		t.Errorf("POST is %d", resp.StatusCode)
	}
	if resp, body := request(t, h, http.MethodHead, "/"); resp.StatusCode != http.StatusOK || body != "" {
		t.Errorf("HEAD is %d with %d bytes", resp.StatusCode, len(body))
	}
}

// What people write goes into the page as text. And nothing in it needs a
// policy that lets in what others write.
func TestPageMakesNoMarkupOfText(t *testing.T) {
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTML`)
	inline := regexp.MustCompile(`\son[a-z]+="|<style|\sstyle="|<script>|javascript:`)
	for _, name := range pageNames() {
		body, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if m := markup.Find(body); m != nil {
			t.Errorf("%s has %s", name, m)
		}
		if strings.HasSuffix(name, ".html") {
			if m := inline.Find(body); m != nil {
				t.Errorf("%s has %s", name, m)
			}
		}
	}
}
