package transport

import (
	"strings"
	"testing"
)

func TestAURLIsBounded(t *testing.T) {
	const most = 2048
	w := newWorld(t, config(func(c *Config) { c.MaxURL = most }))
	base := "?EIO=4&transport=polling&token="
	fill := most - len("/socket.io/"+base)
	for _, c := range []struct {
		size, status int
	}{
		{most, 200}, {most + 1, 400}, {100 * most, 400},
	} {
		r := w.ask("GET", base+strings.Repeat("x", fill+c.size-most), "")
		if r.status != c.status || c.status == 400 && r.body != `{"code":3,"message":"Bad request"}` {
			t.Errorf("%d bytes are answered %d %.60q", c.size, r.status, r.body)
		}
		if c.status == 200 {
			w.next()
		}
	}
}
