package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// figures are bytes for each connection, and microseconds of CPU for each
// connect, delivery and client message.
type figures map[string]float64

// round is the figures of each server.
type round map[string]figures

// What is measured.
const (
	memory      = "memory_plain"
	memoryTLS   = "memory_tls"
	connects    = "connect_plain"
	connectsTLS = "connect_tls"
	single      = "fanout_1"
	queued      = "fanout_8"
	acked       = "fanout_receipts"
	upstream    = "upstream"
)

const (
	singles = 10 // messages one at a time
	batches = 3  // of batch messages
	batch   = 8
	ackeds  = 4 // messages with a receipt from each
	ups     = 6 // messages from each client
	settle  = 50 * time.Millisecond
)

// measuring is one server under the load of its clients.
type measuring struct {
	server  server
	fleet   *fleet
	figures figures
}

// measure starts a server and adds what it finds to all.
func measure(s *settings, c *candidate, secure bool, all figures) (err error) {
	srv, err := c.start(s, secure)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	m := &measuring{server: srv, fleet: &fleet{dialect: c.dialect, address: srv.address()}, figures: all}
	defer m.fleet.cut()
	if secure {
		m.fleet.secure = clientTLS()
		return m.connections(s.sockets, connectsTLS, memoryTLS)
	}
	if err := m.connections(s.sockets, connects, memory); err != nil {
		return err
	}
	for _, step := range []func() error{m.singles, m.batches, m.acked, m.upstream} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// connections measures connects and idle connections. A quarter of them come
// before, so that what a program needs once is not counted.
func (m *measuring) connections(n int, connect, memory string) error {
	if err := m.fleet.connect(n / 4); err != nil {
		return err
	}
	before, err := m.rest()
	if err != nil {
		return err
	}
	if err := m.cost(connect, n, func() error { return m.fleet.connect(n) }); err != nil {
		return err
	}
	if n := m.fleet.repeated.Load(); n > 0 {
		fmt.Fprintf(os.Stderr, "%s: %d connects were not answered, and made again\n", connect, n)
	}
	after, err := m.rest()
	m.figures[memory] = (after - before) / float64(n)
	return err
}

// rest is the server's memory without garbage.
func (m *measuring) rest() (float64, error) {
	if err := m.server.collect(); err != nil {
		return 0, err
	}
	return resident(m.server.pid())
}

// cost is the server's CPU for n of what f does.
func (m *measuring) cost(what string, n int, f func() error) error {
	time.Sleep(settle)
	before, err := cpu(m.server.pid())
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	time.Sleep(settle)
	after, err := cpu(m.server.pid())
	m.figures[what] = (after - before) * 1e6 / float64(n)
	return err
}

// push sends messages to all clients, and waits for them.
func (m *measuring) push(times int) error {
	want := m.fleet.got.Load() + int64(times*len(m.fleet.clients))
	if err := m.server.push(times); err != nil {
		return err
	}
	return m.fleet.wait(want)
}

func (m *measuring) singles() error {
	if err := m.push(1); err != nil { // a first one, for what has to grow
		return err
	}
	return m.cost(single, singles*len(m.fleet.clients), func() error { return m.repeat(singles, 1) })
}

func (m *measuring) batches() error {
	return m.cost(queued, batches*batch*len(m.fleet.clients), func() error { return m.repeat(batches, batch) })
}

func (m *measuring) acked() error {
	m.fleet.receipts.Store(true)
	defer m.fleet.receipts.Store(false)
	n := ackeds * len(m.fleet.clients)
	return m.cost(acked, n, func() error {
		return m.received(n, func() error { return m.repeat(ackeds, 1) })
	})
}

func (m *measuring) upstream() error {
	n := ups * len(m.fleet.clients)
	return m.cost(upstream, n, func() error {
		for range ups { // each has to be read alone
			if err := m.received(len(m.fleet.clients), m.fleet.send); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *measuring) repeat(rounds, times int) error {
	for range rounds {
		if err := m.push(times); err != nil {
			return err
		}
	}
	return nil
}

// received does f, and waits until the server has got n messages by it.
func (m *measuring) received(n int, f func() error) error {
	before, err := m.server.count()
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return until(func() (bool, error) {
		now, err := m.server.count()
		return now-before >= int64(n), err
	}, settle, "messages at the server")
}
