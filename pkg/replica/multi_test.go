package replica

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// starterEnv makes the test binary a process that registers and prints its number.
const starterEnv = "SLUICE_TEST_STARTER"

func starter() int {
	fields := strings.SplitN(os.Getenv(starterEnv), " ", 3)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db := NewDatabase(fields[0], fields[2], migrate)
	defer db.Close()
	r := newRegistry(testConfig(), named(fields[1], "1"), db.Open, time.Now)
	if err := patiently(ctx, r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Print(r.Replica())
	return 0
}

// Real processes create the database together, schema included.
func TestProcessesStartTogetherOnAnEmptyDatabase(t *testing.T) {
	const processes = 12
	eachDatabase(t, func(t *testing.T, b backend) {
		var (
			wg  sync.WaitGroup
			out [processes][]byte
		)
		for i := range processes {
			wg.Go(func() {
				cmd := exec.CommandContext(soon(t), os.Args[0])
				cmd.Env = append(os.Environ(), starterEnv+"="+fmt.Sprintf("%s gw-%d %s", b.driver, i, b.dsn))
				cmd.Stderr = os.Stderr
				var err error
				if out[i], err = cmd.Output(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		distinct := map[string]bool{}
		for _, number := range out {
			distinct[string(number)] = true
		}
		if len(distinct) != processes {
			t.Errorf("%d processes have %d numbers", processes, len(distinct))
		}
	})
}
