package edge

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
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
	if table.Total() != 0 || table.places[keyOf(ann)].held != 0 || table.places[keyOf(bob)] != nil {
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

func BenchmarkAsk(b *testing.B) {
	table := NewTable(Limits{PerAddress: 1, PerSecond: 1e9, Burst: 1}, newClock().now)
	b.ReportAllocs()
	for b.Loop() {
		table.Ask(ann)
	}
}

func TestABucketOfAnyRate(t *testing.T) {
	for _, l := range []Limits{
		{PerSecond: 0.001, Burst: 1}, {PerSecond: 1e-6, Burst: 1000}, {PerSecond: 3, Burst: 7}, {PerSecond: 1e6, Burst: 100}, {PerSecond: 20, Burst: 0},
	} {
		c := newClock()
		table := NewTable(l, c.now)
		burst := max(l.Burst, 1)
		for n := range burst {
			if v := table.Ask(ann); v != Welcome {
				t.Fatalf("%+v: number %d is refused: %q", l, n, v)
			}
		}
		if table.Ask(ann) != TooFast {
			t.Errorf("%+v: one more than the burst", l)
		}
		every := time.Duration(float64(time.Second) / l.PerSecond)
		c.move(every + time.Nanosecond)
		if table.Ask(ann) != Welcome || table.Ask(ann) != TooFast {
			t.Errorf("%+v: not one more after %v", l, every)
		}
		c.move(-time.Hour) // a clock that is set back gives nothing and takes nothing
		if table.Ask(ann) != TooFast {
			t.Errorf("%+v: one more for a clock that was set back", l)
		}
		c.move(time.Hour + every)
		if table.Ask(ann) != Welcome {
			t.Errorf("%+v: refused after it", l)
		}
		c.move(2 * time.Duration(burst) * every) // who waits saves up a burst, and no more
		taken := 0
		for range 3 * burst {
			if table.Ask(ann) == Welcome {
				taken++
			}
		}
		if taken != burst {
			t.Errorf("%+v: %d at once after a rest", l, taken)
		}
	}
}

func TestWhatIsNoAddressIsOneOfItsOwn(t *testing.T) {
	keys := map[key]string{}
	for _, text := range []string{"", "0.0.0.0", "255.255.255.255", "127.0.0.1", "::", "2001:db8::1", "2001:db8:0:1::1", "fe80::1", "ff02::1"} {
		var a netip.Addr
		if text != "" {
			a = netip.MustParseAddr(text)
		}
		if other, taken := keys[keyOf(a)]; taken {
			t.Errorf("%q counts as %q", text, other)
		}
		keys[keyOf(a)] = text
	}
	if keyOf(netip.MustParseAddr("fe80::1%eth0")) != keyOf(netip.MustParseAddr("fe80::2")) {
		t.Error("a zone makes another address")
	}
}

func TestAnAddressIsLeftByItself(t *testing.T) {
	table := NewTable(Limits{PerAddress: 1}, newClock().now)
	table.Enter(ann)
	table.Leave(bob) // who was never there
	if table.Total() != 1 || table.Ask(ann) != TooMany {
		t.Error("the wrong one has left")
	}
	if table.Leave(ann); table.Total() != 0 || table.Ask(ann) != Welcome {
		t.Error("it has not left")
	}
}

// With one client behind each address, what is known of it is part of what a
// connection takes.
func TestWhatIsKnownOfAnAddressIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Place{}); n > 32 {
		t.Errorf("a place takes %d bytes", n)
	}
}
