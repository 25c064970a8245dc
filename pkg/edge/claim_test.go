package edge

import (
	"net/netip"
	"strings"
	"testing"
)

var proxies = Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:aaaa::/48")}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	for _, c := range []struct {
		name, peer, header string
		lines              []string
		want               string
	}{
		{"nobody says anything", "10.0.0.1", XForwardedFor, nil, "10.0.0.1"},
		{"a proxy", "10.0.0.1", XForwardedFor, []string{"192.0.2.1"}, "192.0.2.1"},
		{"a stranger", "192.0.2.9", XForwardedFor, []string{"192.0.2.1"}, "192.0.2.9"},
		{"a stranger who names a proxy", "192.0.2.9", XForwardedFor, []string{"192.0.2.1, 10.0.0.1"}, "192.0.2.9"},
		{"a chain", "10.0.0.1", XForwardedFor, []string{"192.0.2.1, 10.0.0.3,10.0.0.2"}, "192.0.2.1"},
		{"a chain in lines", "10.0.0.1", XForwardedFor, []string{"192.0.2.1", "10.0.0.3", "10.0.0.2"}, "192.0.2.1"},
		{"spoofed in front", "10.0.0.1", XForwardedFor, []string{"1.1.1.1, 10.0.0.9, 192.0.2.1"}, "192.0.2.1"},
		{"spoofed in a line in front", "10.0.0.1", XForwardedFor, []string{"1.1.1.1", "192.0.2.1"}, "192.0.2.1"},
		{"all trusted", "10.0.0.1", XForwardedFor, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage", "10.0.0.1", XForwardedFor, []string{"nonsense"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1", XForwardedFor, []string{"192.0.2.1, ???, 10.0.0.2"}, "10.0.0.2"},
		{"empty", "10.0.0.1", XForwardedFor, []string{""}, "10.0.0.1"},
		{"a comma at the end", "10.0.0.1", XForwardedFor, []string{"192.0.2.1,"}, "10.0.0.1"},
		{"unknown", "10.0.0.1", XForwardedFor, []string{"unknown"}, "10.0.0.1"},
		{"with a port", "10.0.0.1", XForwardedFor, []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"IPv6", "2001:db8:aaaa::1", XForwardedFor, []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 in brackets", "10.0.0.1", XForwardedFor, []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 with a port", "10.0.0.1", XForwardedFor, []string{"[2001:db8::7]:80"}, "2001:db8::7"},
		{"IPv4 in IPv6", "10.0.0.1", XForwardedFor, []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a trusted one in IPv6", "10.0.0.1", XForwardedFor, []string{"192.0.2.1, ::ffff:10.0.0.2"}, "192.0.2.1"},
		{"a zone", "10.0.0.1", XForwardedFor, []string{"fe80::1%eth0"}, "10.0.0.1"},

		{"the standard", "10.0.0.1", Forwarded, []string{"for=192.0.2.1"}, "192.0.2.1"},
		{"its parameters", "10.0.0.1", Forwarded, []string{`proto=https; For="[2001:db8::7]:4711" ;by=10.0.0.1`}, "2001:db8::7"},
		{"its chain", "10.0.0.1", Forwarded, []string{`for=192.0.2.1;host="a,b", for=10.0.0.2`}, "192.0.2.1"},
		{"its spoofs", "10.0.0.1", Forwarded, []string{`for=1.1.1.1, for=192.0.2.1`}, "192.0.2.1"},
		{"an open quote in front", "10.0.0.1", Forwarded, []string{`for=", for=192.0.2.1`}, "192.0.2.1"},
		{"a secret name", "10.0.0.1", Forwarded, []string{`for=_hidden`}, "10.0.0.1"},
		{"for twice", "10.0.0.1", Forwarded, []string{`for=192.0.2.1;for=192.0.2.2`}, "10.0.0.1"},
		{"no for", "10.0.0.1", Forwarded, []string{`proto=https`}, "10.0.0.1"},
		{"the other form", "10.0.0.1", Forwarded, []string{"192.0.2.1"}, "10.0.0.1"},
	} {
		if got := Claimed(netip.MustParseAddr(c.peer), c.header, c.lines, proxies); got.String() != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func FuzzClaimed(f *testing.F) {
	f.Add("192.0.2.1, 10.0.0.2", true)
	f.Add(`for="[2001:db8::7]:1", for=10.0.0.2`, false)
	f.Add(`for=", for=192.0.2.1`, false)
	f.Add(",,,", true)
	proxied := netip.MustParseAddr("203.0.113.5")
	f.Fuzz(func(t *testing.T, said string, x bool) {
		header, added, trusted := Forwarded, "for=203.0.113.5", "for=10.0.0.2"
		if x {
			header, added, trusted = XForwardedFor, "203.0.113.5", "10.0.0.2"
		}
		// Whatever a client says, the proxy's own words come last.
		for _, lines := range [][]string{{said + ", " + added}, {said, added}} {
			if got := Claimed(netip.MustParseAddr("10.0.0.1"), header, lines, proxies); got != proxied {
				t.Fatalf("%q makes it %v", said, got)
			}
		}
		// Behind a chain of proxies the client's words are read, and are an address
		// or nothing.
		for _, line := range []string{said, said + ", " + trusted} {
			if got := Claimed(netip.MustParseAddr("10.0.0.1"), header, []string{line}, proxies); !got.IsValid() {
				t.Fatalf("%q makes it nobody", line)
			}
		}
		stranger := netip.MustParseAddr("192.0.2.9")
		if got := Claimed(stranger, header, []string{said}, proxies); got != stranger {
			t.Fatalf("%q makes a stranger %v", said, got)
		}
	})
}

func TestNetworks(t *testing.T) {
	n, err := ParseNetworks([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"10.255.255.255": true, "11.0.0.0": false, "192.0.2.1": true, "192.0.2.2": false, "::ffff:10.0.0.1": true,
		"2001:db8:ffff::1": true, "2001:db9::": false, "::1": true, "::1%lo": true, "0.0.0.0": false,
	} {
		if got := n.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if n.Contains(netip.Addr{}) {
		t.Error("holds no address at all")
	}
	_, err = ParseNetworks([]string{"10.0.0.1/8", "x", "10.0.0.0/8", "1.2.3.4/33", "::ffff:0:0/96"})
	for _, want := range []string{"10.0.0.1/8", `"x"`, "1.2.3.4/33", "::ffff:0:0/96"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
}
