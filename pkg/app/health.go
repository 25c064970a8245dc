package app

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// health is what balancers and orchestrators ask for.
type health struct {
	mu      sync.Mutex // guards what follows
	state   string
	missing []string    // what is waited for
	full    func() bool // too many are here; nil: never
}

// The states of a program. Only the second one is ready.
const (
	stateStarting = "starting"
	stateReady    = "ready"
	stateDraining = "draining"
)

// comeBack is what balancers and clients are told when they are not welcome.
const comeBack = 5 * time.Second

func newHealth() *health { return &health{state: stateStarting} }

func (h *health) set(state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = state
}

func (h *health) ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == stateReady
}

// await names what the program cannot do without and does not have yet.
func (h *health) await(what ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missing = append(h.missing, what...)
}

// have takes one of these from the list.
func (h *health) have(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missing = slices.DeleteFunc(h.missing, func(s string) bool { return s == what })
}

// shedding has full asked whether new clients are refused.
func (h *health) shedding(full func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full = full
}

// report is what an answer says: nothing of addresses, versions or names.
type report struct {
	State   string   `json:"state"`
	Missing []string `json:"missing,omitempty"`
}

func (h *health) report() (r report, full func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return report{State: h.state, Missing: slices.Clone(h.missing)}, h.full
}

// live answers 200: the process runs and can answer.
func (h *health) live(w http.ResponseWriter, r *http.Request) {
	rep, _ := h.report()
	answer(w, r, http.StatusOK, rep)
}

// complete answers 200 when the program has all that it needs and stays, and 503
// before and after.
func (h *health) complete(w http.ResponseWriter, r *http.Request) {
	rep, _ := h.report()
	answer(w, r, statusIf(rep.State == stateReady), rep)
}

// accepting answers 200 while new clients are welcome.
func (h *health) accepting(w http.ResponseWriter, r *http.Request) {
	rep, full := h.report()
	if rep.State == stateReady && full != nil && full() {
		rep.State = "full"
	}
	answer(w, r, statusIf(rep.State == stateReady), rep)
}

func statusIf(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// answer writes a report. HEAD gets the header of it.
func answer(w http.ResponseWriter, r *http.Request, status int, rep report) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(int(comeBack/time.Second)))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(rep) // a client that left
}
