package component

import "context"

// Mux sends events to handlers by name; its Handle is a Handler. The zero Mux
// is ready. Register everything before it is used.
type Mux struct {
	events    map[string]Handler
	kinds     map[Kind]Handler
	otherwise Handler
}

// On sets the handler of an event of the clients.
func (m *Mux) On(event string, h Handler) {}

// OnKind sets the handler of connects or disconnects, or of the messages that
// On names no handler for.
func (m *Mux) OnKind(k Kind, h Handler) {}

// Handle calls the event's handler. Without one it returns nil: the event is
// acknowledged and forgotten.
func (m *Mux) Handle(ctx context.Context, e *Event) error { return nil }
