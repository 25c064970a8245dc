package bench

import (
	"fmt"
	"strings"
)

// variant is one way to set up what is managed.
type variant struct {
	name string // "" if there is only one way
	env  map[string]string
}

// variants reads key=value,value: a key of the gateways' configuration and its
// values. Nothing is one variant that sets nothing.
func variants(text string) ([]variant, error) {
	if text == "" {
		return []variant{{}}, nil
	}
	key, values, found := strings.Cut(text, "=")
	all := commaList(values)
	if !found || key == "" || len(all) < 2 {
		return nil, fmt.Errorf("-compare: %q is not key=value,value, such as transport.reader=goroutine,reactor", text)
	}
	name := "SLUICE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	short := key[strings.LastIndexByte(key, '.')+1:]
	var ways []variant
	for _, v := range all {
		ways = append(ways, variant{name: short + "=" + v, env: map[string]string{name: v}})
	}
	return ways, nil
}

// alone is a scenario without its slow readers, for those that want it beside.
func (s *Scenario) alone() (Scenario, bool) {
	if !s.Slow.Beside || s.Slow.Share == 0 {
		return Scenario{}, false
	}
	others := *s
	others.beside = "everybody reads"
	others.Clients.Sockets -= int(s.Slow.Share*float64(s.Clients.Sockets) + 0.5)
	others.Slow = SlowSection{}
	return others, true
}
