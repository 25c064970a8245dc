package edge

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

var (
	ann = netip.MustParseAddr("192.0.2.1")
	bob = netip.MustParseAddr("192.0.2.2")
)

// clock is a time that stands until it is moved.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{at: time.Unix(1_000_000, 0)} }

func (c *clock) now() time.Time { return c.at }

func (c *clock) move(d time.Duration) { c.at = c.at.Add(d) }

func TestATableBoundsWhatAnAddressHas(t *testing.T) {
	table := NewTable(Limits{PerAddress: 3}, newClock().now)
	var places []*Place
	for range 3 {
		p, v := table.Hold(ann)
		if v != Welcome {
			t.Fatalf("refused: %s", v)
		}
		places = append(places, p)
	}
	for range 300 { // one more, and a hundred times as many
		if _, v := table.Hold(ann); v != TooMany {
			t.Fatalf("beyond the limit: %q", v)
		}
	}
	if _, v := table.Hold(bob); v != Welcome {
		t.Errorf("another address: %q", v)
	}
	places[0].Leave()
	if _, v := table.Hold(ann); v != Welcome {
		t.Errorf("after one has left: %q", v)
	}
	if n := table.Total(); n != 4 {
		t.Errorf("%d are counted", n)
	}
}

func TestATableBoundsHowFastTheyCome(t *testing.T) {
	c := newClock()
	table := NewTable(Limits{PerSecond: 2, Burst: 5}, c.now)
	took := func(n int) (got int) {
		for range n {
			if table.Ask(ann) == Welcome {
				got++
			}
		}
		return got
	}
	if got := took(500); got != 5 {
		t.Errorf("%d at once", got)
	}
	if v := table.Ask(ann); v != TooFast || !table.Spent(ann) {
		t.Errorf("then: %q", v)
	}
	if table.Spent(bob) || table.Ask(bob) != Welcome {
		t.Error("another address pays, too")
	}
	c.move(time.Second)
	if got := took(500); got != 2 {
		t.Errorf("%d a second later", got)
	}
}

func TestATableBoundsThemAll(t *testing.T) {
	table := NewTable(Limits{Total: 2}, newClock().now)
	a, _ := table.Hold(ann)
	if table.Full() {
		t.Error("full with one of two")
	}
	if _, v := table.HoldAny(); v != Welcome || !table.Full() {
		t.Errorf("the second: %q", v)
	}
	for range 200 {
		if _, v := table.Hold(bob); v != Full {
			t.Fatalf("beyond: %q", v)
		}
		if _, v := table.HoldAny(); v != Full {
			t.Fatalf("beyond, of no address: %q", v)
		}
	}
	a.Leave()
	if _, v := table.Hold(bob); v != Welcome {
		t.Errorf("with room again: %q", v)
	}
}

func TestWhatIsMovedIsCountedOnce(t *testing.T) {
	table := NewTable(Limits{PerAddress: 1, Total: 2}, newClock().now)
	var at, other atomic.Pointer[Place]
	for _, slot := range []*atomic.Pointer[Place]{&at, &other} {
		p, _ := table.HoldAny()
		slot.Store(p)
	}
	if v := table.move(&at, ann); v != Welcome { // although the table is full
		t.Fatalf("refused: %q", v)
	}
	if v := table.move(&other, ann); v != TooMany {
		t.Errorf("a second one: %q", v)
	}
	at.Swap(nil).Leave()
	if v := table.move(&at, bob); v != Welcome || at.Load() != nil {
		t.Errorf("what has left is moved: %q", v)
	}
	if v := table.move(&other, ann); v != Welcome {
		t.Errorf("with room again: %q", v)
	}
	other.Swap(nil).Leave()
	if table.Total() != 0 || table.places[ann].held != 0 || table.places[bob] != nil {
		t.Errorf("%d left", table.Total())
	}
}

func TestAnIPv6NetworkCountsAsOneAddress(t *testing.T) {
	table := NewTable(Limits{PerAddress: 1}, newClock().now)
	table.Enter(netip.MustParseAddr("2001:db8:1:2::1"))
	if v := table.Ask(netip.MustParseAddr("2001:db8:1:2:ffff::9")); v != TooMany {
		t.Errorf("the same /64: %q", v)
	}
	if v := table.Ask(netip.MustParseAddr("2001:db8:1:3::1")); v != Welcome {
		t.Errorf("another /64: %q", v)
	}
	table.Enter(ann)
	if v := table.Ask(netip.MustParseAddr("::ffff:192.0.2.1")); v != TooMany {
		t.Errorf("the same IPv4 address: %q", v)
	}
}

func TestAddressesAreForgotten(t *testing.T) {
	c := newClock()
	table := NewTable(Limits{PerSecond: 1, Burst: 100}, c.now)
	held := table.Enter(ann)
	for range 50 {
		table.Ask(bob)
	}
	c.move(sweepEvery - time.Second)
	table.Ask(netip.MustParseAddr("192.0.2.3"))
	c.move(2 * time.Second)
	table.Ask(netip.MustParseAddr("192.0.2.4"))
	if n := table.Len(); n != 2 { // who has one, and the newest
		t.Errorf("%d addresses are remembered", n)
	}
	held.Leave()
	c.move(2 * sweepEvery)
	if table.Ask(bob); table.Len() != 1 {
		t.Errorf("%d addresses are remembered at the end", table.Len())
	}
}

func TestAFloodOfAddressesIsForgottenEarly(t *testing.T) {
	const most = 100
	table := NewTable(Limits{PerAddress: 1, PerSecond: 1, Burst: 1, Remembered: most}, newClock().now)
	var here []netip.Addr
	for i := range 10 {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		table.Enter(a)
		here = append(here, a)
	}
	for i := range 100 * most {
		if v := table.Ask(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})); v != Welcome {
			t.Fatalf("address %d is refused for what others do: %q", i, v)
		}
	}
	if n := table.Len(); n > most+10 {
		t.Errorf("%d addresses are remembered", n)
	}
	for _, a := range here {
		if v := table.Ask(a); v != TooMany {
			t.Errorf("%v, which has one, was forgotten: %q", a, v)
		}
	}
}

func TestAskingAKnownAddressDoesNotAllocate(t *testing.T) {
	table := NewTable(Limits{PerAddress: 1, PerSecond: 1, Burst: 1}, newClock().now)
	table.Ask(ann)
	if n := testing.AllocsPerRun(100, func() { table.Ask(ann); table.Spent(ann) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
