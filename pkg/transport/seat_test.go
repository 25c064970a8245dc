package transport

import (
	"slices"
	"strings"
	"testing"
)

// A seat serves one link after another: nothing of a message may be left in it
// for the next, whatever the message was.
func TestASeatIsAsNewAfterEveryMessage(t *testing.T) {
	long := strings.Repeat("long ", 60_000)
	packed := string(appendDeflate(nil, []byte(long), false))
	final := string(appendDeflate(nil, []byte(long), true))
	for _, row := range []struct {
		name    string
		deflate bool
		frames  [][]byte
		want    []string
	}{
		{"short", false, [][]byte{masked(0x81, "4short")}, []string{"4short"}},
		{"empty", false, [][]byte{masked(0x82, "")}, []string{""}},
		{"long", false, [][]byte{masked(0x81, long), masked(0x82, "b")}, []string{long, "b"}},
		{"fragments", false, [][]byte{masked(0x01, "a"), masked(0x00, ""), masked(0x80, "b")}, []string{"ab"}},
		{"ping before", false, [][]byte{masked(0x89, "x"), masked(0x81, "a")}, []string{"a"}},
		{"ping among", false, [][]byte{masked(0x01, "a"), masked(0x89, "x"), masked(0x80, "b")}, []string{"ab"}},
		{"packed", true, [][]byte{masked(0xc1, packed)}, []string{long}},
		{"packed in fragments", true, [][]byte{masked(0x41, packed[:9]), masked(0x80, packed[9:])}, []string{long}},
		{"more than is packed", true, [][]byte{masked(0xc1, final+"more")}, []string{long}},
		{"not packed", true, [][]byte{masked(0x81, "a")}, []string{"a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			with := &upgrader
			if row.deflate {
				with = &inflater
			}
			seat := newSeat(with)
			sitsAndRises(t, seat, row.deflate, slices.Concat(row.frames...), row.want)
			sitsAndRises(t, seat, row.deflate, masked(0x81, "next"), []string{"next"})
		})
	}
}

// sitsAndRises has a link of its own read a stream in this seat.
func sitsAndRises(t *testing.T, seat *seat, deflate bool, stream []byte, want []string) {
	t.Helper()
	l, far := bareLink(t)
	l.deflate = deflate
	l.s.Proven()
	seat.receive(l)
	l.seat = seat
	go far.Write(stream)
	for n := range want {
		data, _, err := seat.next(nil)
		if err != nil || string(data) != want[n] {
			t.Fatalf("message %d is %.20q, want %.20q, %v", n, data, want[n], err)
		}
	}
	if more, err := seat.more(true); more || err != nil {
		t.Fatalf("more: %v, %v", more, err)
	}
	if !seat.empty() { // it is not given back: the test has it yet
		t.Fatalf("left in the seat: %d bytes, %+v", seat.br.Buffered(), seat.guard)
	}
}

// A message of which the rest has not come, and what the library calls an error
// for good, must not meet the next link.
func TestASeatWithSomethingLeftIsKept(t *testing.T) {
	l, far := bareLink(t)
	seat := l.sit()
	far.Write(masked(0x01, "4half"))
	if _, err := seat.br.Peek(1); err != nil {
		t.Fatal(err)
	}
	if l.rise(); l.seat != seat {
		t.Error("a seat with half a message was given back")
	}
	if l.sit() != seat {
		t.Error("the link has two seats")
	}
	seat.br.Discard(seat.br.Buffered())
	if l.rise(); l.seat != seat {
		t.Error("a seat between two fragments was given back")
	}
	if l.spoil(); l.seat != nil || seat.br.Size() != feedSize {
		t.Error("a spoiled seat is kept")
	}
}

// Sitting down and rising, as for each message that comes after a silence, costs
// no allocation.
func TestWakingAReaderDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l, _ := bareLink(t)
	if n := testing.AllocsPerRun(1000, func() { l.sit(); l.rise() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
