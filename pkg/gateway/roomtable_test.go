package gateway

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestRoomsAreFoundByTheirNames(t *testing.T) {
	var table roomTable
	want := map[string]*room{}
	rnd := rand.New(rand.NewPCG(3, 4))
	for step := range 60_000 {
		names := 4000 // grows, then shrinks
		name := fmt.Sprintf("room-%d", rnd.IntN(names))
		switch r := want[name]; {
		case table.find(name) != r:
			t.Fatalf("step %d: %s is not found, or another one is", step, name)
		case r == nil && (step < 30_000 || rnd.IntN(10) == 0):
			r = &room{name: name}
			want[name] = r
			table.add(r)
		case r != nil && (step >= 30_000 || rnd.IntN(4) == 0):
			delete(want, name)
			table.drop(r)
		}
		if step%1000 == 0 {
			n := 0
			table.each(func(r *room) {
				if n++; want[r.name] != r {
					t.Fatalf("step %d: %s is left over", step, r.name)
				}
			})
			if n != len(want) {
				t.Fatalf("step %d: %d rooms, want %d", step, n, len(want))
			}
		}
	}
	for _, r := range want {
		table.drop(r)
	}
	for i := range table.parts {
		if p := table.parts[i]; p.slots != nil || p.rooms != 0 {
			t.Fatalf("an empty part holds %d slots", len(p.slots))
		}
	}
}

func TestARoomTableIsNeitherFullNorEmpty(t *testing.T) {
	var table roomTable
	rooms := make([]*room, 100_000)
	slots := func() (n int) {
		for i := range table.parts {
			n += len(table.parts[i].slots)
		}
		return n
	}
	for i := range rooms {
		rooms[i] = &room{name: fmt.Sprintf("room-%d", i)}
		table.add(rooms[i])
	}
	if n := slots(); n < len(rooms)*4/3 || n > len(rooms)*9/4 {
		t.Errorf("%d slots for %d rooms", n, len(rooms))
	}
	for _, r := range rooms[1000:] {
		table.drop(r)
	}
	if n := slots(); n > 10_000 {
		t.Errorf("%d slots are left for 1000 rooms", n)
	}
}

func BenchmarkFindRoom(b *testing.B) {
	var table roomTable
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("0d9f4b2e-6c1a-4f0e-9d3b-%012x", i)
		table.add(&room{name: names[i]})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; table.find(names[i%len(names)]) == nil {
			b.Fatal("not found")
		}
	}
}
