package edge

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(fewFilesEnv) != "" {
		serveWithFewFiles()
		return
	}
	if address := os.Getenv(stormEnv); address != "" {
		storm(address)
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
