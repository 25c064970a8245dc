package session

import (
	"fmt"
	"testing"

	"github.com/go-redis/redis/v8"
)

// After a storm a lane holds little of what it took.
func TestAConvoyKeepsLittleOfAStorm(t *testing.T) {
	var c convoy
	for round := range 200 { // one list that all are in, and many with one member
		p := (&group{}).part()
		for n := range 2000 {
			p.enter("all", 1, "member")
			p.enter(fmt.Sprint(round, n), 1, "member")
		}
		c.parts = append(c.parts, p)
		c.enter(p)
		for _, list := range c.lists {
			list.add, list.expire = &redis.Cmd{}, &redis.Cmd{}
		}
		c.answer()
		if err := <-p.done; err != nil {
			t.Fatal(err)
		}
	}
	args := 0
	for _, list := range c.free {
		args += cap(list.args)
	}
	if len(c.free) == 0 || args > keptLists*keptArgs {
		t.Errorf("%d lists with room for %d arguments are kept", len(c.free), args)
	}
}
