package bench

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the program that the tests start workers, services and servers with.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == workerCommand || os.Args[1] == servicesCommand || os.Args[1] == "stand") {
		os.Exit(Main(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}
