package session

import (
	"fmt"
	"testing"
)

// After a storm a lane holds little of what it took.
func TestAConvoyKeepsLittleOfAStorm(t *testing.T) {
	var c convoy
	travel := func(round, lists int) {
		p := (&group{}).part()
		for n := range lists { // one list that all are in, and many with one member
			p.enter(p.string("all"), p.int(1), p.string("member"))
			p.enter(p.string(fmt.Sprint(round, n)), p.int(1), p.string("member"))
		}
		c.parts = append(c.parts, p)
		c.enter(p)
		if n := len(c.under); n != lists+1 {
			t.Fatalf("%d lists, want %d", n, lists+1)
		}
		c.answer()
		if err := <-p.done; err != nil {
			t.Fatal(err)
		}
	}
	for round := range 200 {
		travel(round, 2000)
		travel(round, 1+round)
	}
	travel(0, 10)
	args := 0
	for _, list := range c.lists {
		args += cap(list.args)
	}
	if n := len(c.lists); n == 0 || n > keptLists || args > keptLists*keptArgs || cap(c.under) > 2*keptLists {
		t.Errorf("%d lists with room for %d arguments are kept, and places for %d", n, args, cap(c.under))
	}
}
