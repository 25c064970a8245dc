package app

import (
	"errors"
	"net/http"

	"sluice/pkg/id"
	"sluice/pkg/mesh"
)

// forwarder passes requests on through the mesh, and answers them when that
// goes wrong for a while: a client that is told "Session ID unknown" would give
// its session up, although only the way to it was blocked.
type forwarder struct{ client *mesh.Client }

func (f forwarder) Forward(w http.ResponseWriter, r *http.Request, to id.Replica) error {
	err := f.client.Forward(w, r, to)
	switch {
	case errors.Is(err, mesh.ErrUnreachable), errors.Is(err, mesh.ErrBusy):
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case errors.Is(err, mesh.ErrTooLarge):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case errors.Is(err, mesh.ErrClientGone):
	default:
		return err
	}
	return nil
}
