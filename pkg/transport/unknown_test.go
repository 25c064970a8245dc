package transport

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// nowhere is a response that nobody reads.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(status int)      { n.status = status }

// A flood of made-up sids costs what net/http takes for a request, and nothing
// of ours.
func TestAnUnknownSessionIsRefusedWithoutAllocating(t *testing.T) {
	w := newWorld(t, hooks(func(h *Hooks) {
		h.Unknown = func(*http.Request) *Refusal { return nil }
		h.Foreign = func(http.ResponseWriter, *http.Request, uint64) bool { return false }
	}))
	for name, query := range map[string]string{
		"made up":   "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"malformed": "EIO=4&transport=polling&sid=x",
		"old":       "EIO=3&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		r := httptest.NewRequest(http.MethodGet, "/socket.io/?"+query, nil)
		n := &nowhere{header: http.Header{}}
		got := testing.AllocsPerRun(200, func() { w.v.ServeHTTP(n, r) })
		if got != 0 || n.status != http.StatusBadRequest {
			t.Errorf("%s: %v allocations, answered %d", name, got, n.status)
		}
	}
}

func BenchmarkUnknownSession(b *testing.B) {
	v := newServer(&world{}, nil)
	r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAA", nil)
	n := &nowhere{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		v.ServeHTTP(n, r)
	}
}

func TestTheOneWhoAsksTooOftenIsTold(t *testing.T) {
	w := newWorld(t, hooks(func(h *Hooks) {
		h.Unknown = func(*http.Request) *Refusal { return Refuse("unknown_rate") }
	}))
	r := w.ask("GET", "?EIO=4&transport=polling&sid=x", "")
	r.wants(t, http.StatusTooManyRequests, `{"code":1,"message":"Session ID unknown"}`)
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("it is told to wait %q", r.header.Get("Retry-After"))
	}
}
