package edge

import (
	"fmt"
	"net/netip"
)

// Networks is a list of address ranges. An IPv4 address and the same one mapped
// into IPv6 are one.
type Networks []netip.Prefix

// ParseNetworks reads ranges, "10.0.0.0/8" or "2001:db8::/32", and single
// addresses. The error names every entry that is neither.
func ParseNetworks(list []string) (Networks, error) {
	nets := make(Networks, 0, len(list))
	var wrong []string
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(s); err == nil {
				a = a.Unmap().WithZone("")
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil || p.Addr().Is4In6() || p != p.Masked() {
			wrong = append(wrong, s)
			continue
		}
		nets = append(nets, p)
	}
	if wrong != nil {
		return nil, fmt.Errorf("must be addresses or networks without host bits, has %q", wrong)
	}
	return nets, nil
}

// Contains tells whether one of the ranges holds a.
func (n Networks) Contains(a netip.Addr) bool {
	if len(n) == 0 {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
