package bus

import (
	"testing"

	"github.com/gotomicro/ego/core/elog"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) {
	// ekafka logs to EGO's own logger, which would make files here.
	elog.EgoLogger = quiet
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

var quiet = elog.DefaultContainer().Build(elog.WithZapCore(zapcore.NewNopCore()))
