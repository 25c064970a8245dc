package docs

import (
	"testing"

	"github.com/gotomicro/ego/core/elog"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // elog starts goroutines when it is imported
}

func quiet() *elog.Component {
	return elog.DefaultContainer().Build(elog.WithEnableAsync(false), elog.WithZapCore(zapcore.NewNopCore()))
}
