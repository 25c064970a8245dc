package epoll

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait of the tests.
const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
