package app

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
)

// health is what balancers and orchestrators ask for.
type health struct{ state atomic.Pointer[string] }

// The states of a program. Only the second one is ready.
const (
	stateStarting = "starting"
	stateReady    = "ready"
	stateDraining = "draining"
)

func newHealth() *health {
	h := &health{}
	h.set(stateStarting)
	return h
}

func (h *health) set(state string) { h.state.Store(&state) }
func (h *health) get() string      { return *h.state.Load() }
func (h *health) ready() bool      { return h.get() == stateReady }

// live answers /health: the process runs and can answer.
func (h *health) live(w http.ResponseWriter, _ *http.Request) { h.answer(w, http.StatusOK) }

// accepting answers /ready: 200 while new work is welcome, 503 before and after.
func (h *health) accepting(w http.ResponseWriter, _ *http.Request) {
	if h.ready() {
		h.answer(w, http.StatusOK)
		return
	}
	h.answer(w, http.StatusServiceUnavailable)
}

func (h *health) answer(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"state": h.get()}) // a client that left
}
