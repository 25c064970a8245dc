package docs

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// The page's scripts have tests of their own, in JavaScript; two windows of the
// whole page are looked at in pkg/e2e.
func TestPageScripts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "--test", "browser/link.test.mjs").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
