package e2e

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// broken is an attack that says bytes on a WebSocket whose client has connected,
// and wants to be closed with a code.
func broken(code int, said ...[]byte) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.websocket(ctx, "")
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // the gateway has closed it
		for _, b := range said {
			if s.raw(b) != nil {
				break // it is closed already, and the frame that says so is on its way
			}
		}
		return s.closedWith(code)
	}
}

// compressed is broken on a WebSocket that negotiated compression.
func compressed(code int, said []byte) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, header, err := p.websocketWith(ctx, "", upgradeHeaders+"\r\nSec-WebSocket-Extensions: permessage-deflate")
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // the gateway has closed it
		if !strings.HasPrefix(header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
			return errors.New("nothing was negotiated")
		}
		if err := s.raw(said); err != nil {
			return err
		}
		return s.closedWith(code)
	}
}

// deflated is a number of zeros as a message of permessage-deflate.
func deflated(zeros int) []byte {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	for range zeros >> 10 {
		_, _ = z.Write(make([]byte, 1<<10)) // into memory
	}
	_ = z.Flush() // into memory
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// repeated is a frame many times over.
func repeated(n int, f []byte) []byte { return bytes.Repeat(f, n) }

var websocketAttacks = []attack{
	{"reserved bit 1, as if compressed", broken(1002, frame(nil, 0xc1, []byte("\x8a\x04\x00")))},
	{"reserved bit 2", broken(1002, frame(nil, 0xa1, []byte("2")))},
	{"reserved opcode", broken(1002, frame(nil, 0x83, []byte("2")))},
	{"reserved control opcode", broken(1002, frame(nil, 0x8b, nil))},
	{"no mask", broken(1002, []byte{0x81, 1, '2'})},
	{"length with the top bit", broken(1002, []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})},
	{"long control frame", broken(1002, frame(nil, 0x89, make([]byte, 126)))},
	{"fragmented control frame", broken(1002, frame(nil, 0x09, []byte("x")))},
	{"close code 1005", broken(1002, frame(nil, 0x88, []byte{0x03, 0xed}))},
	{"close code 999", broken(1002, frame(nil, 0x88, []byte{0x03, 0xe7}))},
	{"half a close code", broken(1002, frame(nil, 0x88, []byte{0x03}))},
	{"close reason that is no text", broken(1002, frame(nil, 0x88, []byte{0x03, 0xe8, 0xff}))},
	{"continuation of nothing", broken(1002, frame(nil, 0x80, []byte("x")))},
	{"message within a message", broken(1002, frame(nil, 0x01, []byte("4")), frame(nil, 0x81, []byte("2")))},
	{"inflate bomb before the client is known", compressed(1009, frame(nil, 0xc2, deflated(20<<20)))},
	{"compressed ping", compressed(1002, frame(nil, 0xc9, nil))},
	{"compressed bytes that are none", compressed(1007, frame(nil, 0xc1, []byte("\xff\xff\xff\xff")))},
	{"a gigabyte announced", broken(1009, []byte{0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0})},
	{"too large in fragments", broken(1009, frame(nil, 0x02, make([]byte, 60_000)), frame(nil, 0x00, make([]byte, 60_000)))},
	{"endless fragments", broken(1008, frame(nil, 0x01, []byte("4")), repeated(200, frame(nil, 0x00, []byte("x"))))},
	{"endless empty fragments", broken(1008, frame(nil, 0x01, nil), repeated(200, frame(nil, 0x00, nil)))},
	{"flood of pings", broken(1008, repeated(100, frame(nil, 0x89, nil)))},
	{"flood of pongs", broken(1008, repeated(100, frame(nil, 0x8a, nil)))},
	{"text that is not UTF-8", broken(1007, frame(nil, 0x81, []byte("4\xff\xfe")))},
	{"not UTF-8 over two fragments", broken(1007, frame(nil, 0x01, []byte("4\xe2")), frame(nil, 0x80, []byte("\x28\xa1")))},
	{"Engine.IO packet of no type", broken(0, frame(nil, 0x81, []byte("9what")))},
	{"ping of a client", broken(0, frame(nil, 0x81, []byte("2")))},
	{"open packet of a client", broken(0, frame(nil, 0x81, []byte("0{}")))},
	{"empty packet", broken(0, frame(nil, 0x81, nil))},
	{"upgrade of a WebSocket", broken(0, frame(nil, 0x81, []byte("5")))},
	{"never connects", broken(0)},
	{"half a frame", halfAFrame},
	{"message before the probe", badUpgrade("40")},
	{"upgrade without probe", badUpgrade("5")},
	{"probe that never upgrades", idleUpgrade},
	{"two upgrades at once", twoUpgrades},
}

// halfAFrame begins a frame and sends the rest a byte at a time, never to its
// end: the time to connect ends it.
func halfAFrame(ctx context.Context, p *party) error {
	s, err := p.websocket(ctx, "")
	if err != nil {
		return err
	}
	defer func() { _ = s.conn.Close() }() // the gateway has closed it
	if err := s.raw([]byte{0x81, 0xfe, 0x7f, 0xff, 0, 0, 0, 0, '4'}); err != nil {
		return err
	}
	return untilCut(ctx, s.conn, "x")
}

// badUpgrade says something else than a probe on a WebSocket that wants to take a
// session over: the WebSocket is closed, and the session goes on.
func badUpgrade(said string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.session(ctx)
		if err != nil {
			return err
		}
		ws, err := p.websocket(ctx, "&sid="+s.sid)
		if err != nil {
			return err
		}
		defer func() { _ = ws.conn.Close() }() // the gateway has closed it
		if err := ws.text(said); err != nil {
			return err
		}
		if err := ws.closedWith(0); err != nil {
			return err
		}
		return s.post(ctx, "1") // it is still there to be closed
	}
}

// idleUpgrade probes and leaves it at that.
func idleUpgrade(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	ws, err := p.websocket(ctx, "&sid="+s.sid)
	if err != nil {
		return err
	}
	defer func() { _ = ws.conn.Close() }() // the gateway has closed it
	if err := ws.text("2probe"); err != nil {
		return err
	}
	if err := ws.closedWith(0); err != nil {
		return err
	}
	if time.Since(begun) < time.Second {
		return errors.New("closed before its time")
	}
	return nil
}

// twoUpgrades wants two WebSockets for one session.
func twoUpgrades(ctx context.Context, p *party) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	first, err := p.websocket(ctx, "&sid="+s.sid)
	if err != nil {
		return err
	}
	defer func() { _ = first.conn.Close() }() // of a session that is closed
	if err := first.text("2probe"); err != nil {
		return err
	}
	if err := first.expect("3probe"); err != nil {
		return err
	}
	second, err := p.websocket(ctx, "&sid="+s.sid)
	if err == nil {
		defer func() { _ = second.conn.Close() }() // the gateway has closed it
		err = second.closedWith(0)
	}
	if err != nil {
		return fmt.Errorf("the second: %w", err)
	}
	return s.post(ctx, "1")
}
