package edge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// v2 builds a header of version 2.
func v2(command, family byte, body ...[]byte) []byte {
	rest := bytes.Join(body, nil)
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rest)))
	return append(b, rest...)
}

// pair is a block of addresses and ports.
func pair(source, destination string) []byte {
	s, d := netip.MustParseAddrPort(source), netip.MustParseAddrPort(destination)
	b := append(s.Addr().AsSlice(), d.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, s.Port())
	return binary.BigEndian.AppendUint16(b, d.Port())
}

func tlv(kind byte, value string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))
	return append(b, value...)
}

// sealed puts the checksum into a header that has an empty one at its end.
func sealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, castagnoli))
	return b
}

var four, six = pair("192.0.2.7:56324", "198.51.100.1:443"), pair("[2001:db8::7]:1", "[2001:db8::1]:443")

// goodHeaders are headers and the client in each, "" for none.
var goodHeaders = []struct{ text, client string }{
	{"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7:56324"},
	{"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"},
	{"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0"},
	{"PROXY TCP6 2001:db8::7 ::1 1 443\r\n", "[2001:db8::7]:1"},
	{"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 443\r\n", "192.0.2.7:1"},
	{"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"PROXY UNKNOWN\r\n", ""},
	{"PROXY UNKNOWN whatever it says\r\n", ""},
	{"PROXY UNKNOWN" + strings.Repeat(" ", 107-15) + "\r\n", ""},
	{string(v2(v2Proxy, v2TCP4, four)), "192.0.2.7:56324"},
	{string(v2(v2Proxy, v2TCP6, six)), "[2001:db8::7]:1"},
	{string(v2(v2Proxy, v2TCP6, pair("[::ffff:192.0.2.7]:5", "[::1]:443"))), "192.0.2.7:5"},
	{string(v2(v2Proxy, v2TCP4, four, tlv(0x02, "sluice.example"), tlv(0x04, ""))), "192.0.2.7:56324"},
	{string(sealed(v2(v2Proxy, v2TCP4, four, tlv(0x02, "x"), tlv(0x03, "\x00\x00\x00\x00")))), "192.0.2.7:56324"},
	{string(v2(v2Proxy, v2None)), ""},
	{string(v2(v2Proxy, v2None, tlv(0x05, "id"))), ""},
	{string(v2(v2Local, v2None)), ""},
	{string(v2(v2Local, v2TCP4, four)), ""},
	{string(v2(v2Local, 0x77, []byte("anything"))), ""},
	{string(v2(v2Proxy, v2TCP4, four, tlv(0xee, strings.Repeat("x", 256-12-3)))), "192.0.2.7:56324"}, // as long as allowed here
}

// badHeaders are wrong as a whole, or at their beginning already.
var badHeaders = []string{
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"proxy tcp4 192.0.2.7 198.51.100.1 1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
	"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
	"PROXY TCP4 192.0.2.007 198.51.100.1 1 2\r\n",
	"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 1 x\r\n",
	"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
	"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
	"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
	"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1\r1 2\r\n",
	"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\r\n",
	"PROXY UNKNOWN" + strings.Repeat(" ", 107-14) + "\r\n", // one too long
	"PROXY " + strings.Repeat("9", 10700),
	"PROXY\tTCP4 192.0.2.7 198.51.100.1 1 2\r\n",
	string(v2(0x22, v2TCP4, four)),
	string(v2(0x11, v2TCP4, four)),
	string(v2(v2Proxy, 0x12, four)),   // UDP
	string(v2(v2Proxy, 0x31, four)),   // a Unix socket
	string(v2(v2Proxy, 0x13, four)),   // no such transport
	string(v2(v2Proxy, v2TCP6, four)), // too short for its family
	string(v2(v2Proxy, v2TCP4, four[:11])),
	string(v2(v2Proxy, v2TCP4)),
	string(v2(v2Proxy, v2TCP4, four, []byte{1})),
	string(v2(v2Proxy, v2TCP4, four, []byte{1, 0, 5, 'x'})),
	string(v2(v2Proxy, v2TCP4, four, tlv(0x03, "\x00\x00\x00\x00"))),
	string(v2(v2Proxy, v2TCP4, four, tlv(0x03, "abc"))),
	string(v2(v2Proxy, v2None, []byte{1})),
	string(v2(v2Proxy, v2TCP4, four, tlv(0xee, strings.Repeat("x", 257-12-3)))),   // one too long
	string(v2(v2Proxy, v2TCP4, four, tlv(0xee, strings.Repeat("x", 25600-12-3)))), // a hundred times
	"\r\n\r\n\x00\r\nQUIT\r" + string(v2(v2Proxy, v2TCP4, four)[12:]),
}

// read feeds a parser as a connection would: exactly what it asks for, of text,
// at most step bytes at a time.
func read(text string, step int) (h Header, used int, err error) {
	for {
		h, need, err := ParseHeader([]byte(text[:used]), 256)
		if err != nil || need == 0 {
			return h, used, err
		}
		if used+need > len(text) {
			return h, used, fmt.Errorf("asks for %d bytes behind the %d of the text", need, len(text))
		}
		used += min(need, step)
	}
}

func TestAHeaderIsReadToItsLastByteAndNoFurther(t *testing.T) {
	for _, c := range goodHeaders {
		for _, step := range []int{1, 2, 7, 1 << 20} {
			h, used, err := read(c.text+"GET / HTTP/1.1\r\n", step)
			client := ""
			if h.Source.IsValid() {
				client = h.Source.String()
			}
			if err != nil || used != len(c.text) || client != c.client {
				t.Errorf("%q by %d: client %q after %d of %d bytes, %v", c.text, step, client, used, len(c.text), err)
			}
		}
	}
}

func TestAMalformedHeaderIsRefused(t *testing.T) {
	for _, text := range badHeaders {
		if h, used, err := read(text+strings.Repeat("x", 200), 1<<20); !errors.Is(err, ErrHeader) {
			t.Errorf("%.120q: %v after %d bytes, %v", text, h, used, err)
		}
	}
}

func TestAChangedByteSpoilsTheChecksum(t *testing.T) {
	good := sealed(v2(v2Proxy, v2TCP4, four, tlv(0x02, "x"), tlv(0x03, "\x00\x00\x00\x00")))
	for i := v2Fixed; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, _, err := ParseHeader(bad, 256); err == nil && i != v2Fixed+12+4 { // that one makes another type of the checksum
			t.Errorf("byte %d may be changed", i)
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, c := range goodHeaders {
		f.Add([]byte(c.text))
	}
	for _, text := range badHeaders {
		f.Add([]byte(text[:min(len(text), 400)]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 512
		h, need, err := ParseHeader(b, most)
		switch {
		case need < 0, need > most, err != nil && (need != 0 || h != Header{}):
			t.Fatalf("%q: %v, needs %d, %v", b, h, need, err)
		case err == nil && need == 0:
			if len(b) > most+v2Fixed {
				t.Fatalf("a header of %d bytes", len(b))
			}
			// What is complete was not complete before its last byte.
			for i := range b {
				if _, more, err := ParseHeader(b[:i], most); err != nil || more == 0 || i+more > len(b) {
					t.Fatalf("%q: after %d bytes needs %d, %v", b, i, more, err)
				}
			}
		}
	})
}
