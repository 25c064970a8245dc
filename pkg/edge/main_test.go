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
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
