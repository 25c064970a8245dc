package gateway

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"sluice/pkg/id"
	"sluice/pkg/transport"
)

// sidOf makes up a sid of a replica.
func sidOf(r id.Replica) string {
	var raw [20]byte
	binary.BigEndian.PutUint64(raw[:], 1<<30|uint64(r)<<10)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// asking sends a request as a client of an address would.
func (w *world) asking(from, query string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&"+query, nil)
	r.RemoteAddr = from + ":4711"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.gateway.ServeHTTP(rec, r)
	return rec
}

const unknownBody = `{"code":1,"message":"Session ID unknown"}`

func TestAnAddressMayAskForSoManyUnknownSessions(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Address.UnknownPerSecond, c.Address.UnknownBurst = 0.001, 4 })
	sids := []string{sidOf(5), "short", sidOf(5)[:26] + "*", sidOf(5) + sidOf(5)}
	for _, sid := range sids {
		if a := w.asking("192.0.2.1", "transport=polling&sid="+sid); a.Code != 400 || a.Body.String() != unknownBody {
			t.Errorf("%q is answered %d %s", sid, a.Code, a.Body)
		}
	}
	for i := range 400 {
		a := w.asking("192.0.2.1", "transport=polling&sid="+sids[i%4])
		if a.Code != 429 || a.Header().Get("Retry-After") == "" || a.Body.String() != unknownBody {
			t.Fatalf("beyond: %d %s %v", a.Code, a.Body, a.Header())
		}
	}
	if a := w.asking("192.0.2.2", "transport=polling&sid="+sids[0]); a.Code != 400 {
		t.Errorf("another address is answered %d", a.Code)
	}
	if a := w.asking("192.0.2.1", "transport=polling"); a.Code != 200 {
		t.Errorf("a new session of the first is answered %d", a.Code)
	}
}

func TestAskingForAnUnknownSessionDoesNotAllocate(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *transport.Config) { c.Address.UnknownBurst = 100 })
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w.gateway.refuseUnknown(r) // remembers the address
	if n := testing.AllocsPerRun(500, func() { w.gateway.refuseUnknown(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// elsewhere is a mesh that answers for other replicas.
type elsewhere struct {
	asked  int
	answer func(w http.ResponseWriter)
}

func (e *elsewhere) Forward(w http.ResponseWriter, r *http.Request, _ id.Replica) error {
	e.asked++
	if e.answer == nil {
		return errAway
	}
	e.answer(w)
	return nil
}

func TestGuessingSessionsOfOtherReplicasIsBounded(t *testing.T) {
	refuse := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, unknownBody)
	}
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter)
		bounded bool
	}{
		"unknown there": {refuse, true},
		"unknown there, to an upgrade": {func(w http.ResponseWriter) {
			w.(interface{ Tunnelled([]byte) }).Tunnelled([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nSession ID unknown"))
		}, true},
		"nobody there": {nil, true},
		"known there":  {func(w http.ResponseWriter) { io.WriteString(w, "2") }, false},
		"a message that reads like it": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusOK)
			io.WriteString(w, unknownBody)
		}, false},
		"another error": {func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"code":3,"message":"Bad request"}`)
		}, false},
		"a tunnel": {func(w http.ResponseWriter) {
			w.(interface{ Tunnelled([]byte) }).Tunnelled([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			const burst, tries = 3, 300
			w := newWorld(t, func(c *Config, _ *transport.Config) {
				c.Address.UnknownPerSecond, c.Address.UnknownBurst = 0.001, burst
			})
			there := &elsewhere{answer: c.answer}
			w.gateway.deps.Mesh = there
			last := 0
			for range tries {
				last = w.asking("192.0.2.1", "transport=polling&sid="+sidOf(6)).Code
			}
			if c.bounded && (there.asked != burst || last != 429) || !c.bounded && there.asked != tries {
				t.Errorf("passed on %d times of %d, the last one was answered %d", there.asked, tries, last)
			}
		})
	}
}
