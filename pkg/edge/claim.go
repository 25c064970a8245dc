package edge

import (
	"net/netip"
	"strings"
)

// Headers in which proxies say whom they speak for.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded"
)

// Claimed finds the client behind proxies: peer is who is connected, lines are
// the values of the header named. Each proxy adds the address that it was
// called from at the end, so they are read from there, for as long as it is a
// trusted one that speaks. Whatever a client has written itself lies further to
// the front and is not reached. What cannot be read ends it, too: the client is
// then the last one that could.
func Claimed(peer netip.Addr, header string, lines []string, trusted Networks) netip.Addr {
	client := peer
	for i := len(lines) - 1; i >= 0; i-- {
		rest, more := lines[i], true
		for more {
			if !trusted.Contains(client) {
				return client
			}
			var item string
			rest, item, more = cutLast(rest)
			a, ok := claimOf(header, item)
			if !ok {
				return client
			}
			client = a
		}
	}
	return client
}

// cutLast cuts a list at its last comma that is not in quotes. Read from the
// end, quotes that were left open further to the front do no harm.
func cutLast(list string) (rest, item string, more bool) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return list[:i], list[i+1:], true
			}
		}
	}
	return "", list, false
}

// claimOf reads the address in one element of the header.
func claimOf(header, item string) (netip.Addr, bool) {
	if header == Forwarded {
		item = forParameter(item)
	}
	return node(strings.Trim(item, " \t"))
}

// forParameter is the value of for= in an element such as
// for="[2001:db8::1]:4711";proto=https (RFC 7239).
func forParameter(element string) string {
	found := ""
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found != "" {
			return "" // twice: malformed
		}
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		found = value
	}
	return found
}

// node reads 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] and
// [2001:db8::1]:80. "unknown" and made-up names are no addresses.
func node(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		if inner, found := strings.CutPrefix(s, "["); found && strings.HasSuffix(inner, "]") {
			a, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
			if err == nil && !a.Is6() {
				return netip.Addr{}, false
			}
		} else {
			var ap netip.AddrPort
			ap, err = netip.ParseAddrPort(s)
			a = ap.Addr()
		}
	}
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}
