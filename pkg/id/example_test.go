package id_test

import (
	"fmt"
	"time"

	"sluice/pkg/id"
)

func ExampleGenerator() {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lease := id.Window{After: id.Millis(at) - 1000, Until: id.Millis(at) + 24*3600*1000}
	gen := id.NewGenerator(42, lease, func() time.Time { return at })

	socket, err := gen.Socket()
	if err != nil {
		fmt.Println("refuse the client:", err)
		return
	}
	fmt.Println(socket, socket.Replica(), id.Time(socket.Millis()).UTC().Format(time.RFC3339))
	// Output: 0emsdu4002k00 42 2026-01-01T12:00:00Z
}

func ExampleParseTarget() {
	target, err := id.ParseTarget("d:minutes-2026")
	fmt.Println(target.Kind, target.Name, err)
	_, err = id.ParseTarget("s:nobody")
	fmt.Println(err)
	// Output:
	// doc minutes-2026 <nil>
	// parse target: not a valid id: 6 bytes instead of 13
}
