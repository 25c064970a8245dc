package mesh

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// A process that the directory's list does not have yet is looked for.
func TestWhoHasJustStartedIsReached(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 3, "boot", "", &fake{reply: func(*meshv1.ReplyRequest) *meshv1.ReplyResponse { return &meshv1.ReplyResponse{} }, http: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("served")) }})
	dir := newBook()
	dir.late = map[id.Replica]Member{3: p.Member}
	c := dial(t, cfg, dir)
	w := httptest.NewRecorder()
	if err := c.Forward(w, httptest.NewRequest(http.MethodGet, "/", nil), 3); err != nil || w.Body.String() != "served" {
		t.Errorf("Forward: %q, %v", w.Body, err)
	}
	if _, err := c.Reply(timeout(t), 3, &meshv1.ReplyRequest{}); err != nil {
		t.Errorf("Reply: %v", err)
	}
	if err := c.Deliver(4, []byte("x")); !errors.Is(err, ErrUnknown) || dir.sought != 3 {
		t.Errorf("Deliver to nobody: %v, looked for %d times in all", err, dir.sought)
	}
}
