package component

import "context"

// Mux sends events to handlers by name; its Handle is a Handler. The zero Mux
// is ready. Register everything before it is used.
type Mux struct {
	events map[string]Handler
	kinds  map[Kind]Handler
}

// On sets the handler of an event of the clients.
func (m *Mux) On(event string, h Handler) {
	if m.events == nil {
		m.events = make(map[string]Handler)
	}
	m.events[event] = h
}

// OnKind sets the handler of connects or disconnects, or of the messages that
// On names no handler for.
func (m *Mux) OnKind(k Kind, h Handler) {
	if m.kinds == nil {
		m.kinds = make(map[Kind]Handler)
	}
	m.kinds[k] = h
}

// Handle calls the event's handler. Without one it returns nil: the event is
// acknowledged and forgotten.
func (m *Mux) Handle(ctx context.Context, e *Event) error {
	if e.Kind() == Message {
		if h, ok := m.events[e.Name()]; ok {
			return h(ctx, e)
		}
	}
	if h, ok := m.kinds[e.Kind()]; ok {
		return h(ctx, e)
	}
	return nil
}
