package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/gotomicro/ego/core/elog"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
)

// Quiet logs nothing.
var Quiet = elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))

// Main runs the tests of a package.
func Main(m *testing.M) {
	elog.EgoLogger = Quiet                           // go-redis reports lost connections there
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // EGO has started its loggers
}

// Context ends after a time in which everything here must have happened.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Patience is how long until a test gives up, and not how fast anything is.
const Patience = time.Minute

// Eventually waits until ok returns true.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("did not happen: %s", what)
}
