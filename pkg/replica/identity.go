package replica

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"sluice/pkg/id"
)

// Identity is who a process is. Service, Name and Version together decide which
// number it inherits; two processes that run at once must differ in one of them, or
// the later one takes the number of the earlier one.
type Identity struct {
	Service string // the program, "ws-gateway"; at most 32 bytes
	Name    string // the replica, the same after a restart; at most 128 bytes
	Version string // of the program; at most 64 bytes
	Address string // host:port at which other replicas reach its mesh; at most 255 bytes
	Boot    string // different at every start, see NewBoot; at most 64 bytes
}

// NewBoot returns a boot id: 26 random characters.
func NewBoot() string { return rand.Text() }

// check wants what the columns can hold and what compares alike in every database:
// MySQL ignores spaces at the end.
func (i Identity) check() error {
	var errs []error
	for _, f := range []struct {
		name, value string
		limit       int
	}{
		{"service", i.Service, 32}, {"name", i.Name, 128}, {"version", i.Version, 64},
		{"address", i.Address, 255}, {"boot", i.Boot, 64},
	} {
		switch {
		case f.value == "":
			errs = append(errs, fmt.Errorf("%s is empty", f.name))
		case utf8.RuneCountInString(f.value) > f.limit:
			errs = append(errs, fmt.Errorf("%s is longer than %d characters", f.name, f.limit))
		case !utf8.ValidString(f.value) || !printable(f.value):
			errs = append(errs, fmt.Errorf("%s %q has spaces or characters that cannot be printed", f.name, f.value))
		}
	}
	return errors.Join(errs...)
}

func printable(s string) bool {
	for _, r := range s {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// State is what a process says of itself.
type State string

// The states. A process is up from Register on, draining when SetState says so,
// and gone after Release; a crashed one keeps its last state.
const (
	StateUp       State = "up"
	StateDraining State = "draining"
	StateGone     State = "gone"
)

// Member is one living process: a health record and an address of the mesh.
type Member struct {
	Replica id.Replica
	Identity
	State       State // up or draining
	Sockets     int64
	Level       int // of overload
	HeartbeatAt time.Time
}
