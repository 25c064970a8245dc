package mesh

import (
	"errors"
	"testing"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
)

// A reply goes to the boot that received the event, which may be younger than
// the directory.
func TestRepliesGoToTheBootOfTheirRequest(t *testing.T) {
	cfg := testConfig()
	p := start(t, cfg, 1, "boot-b", "", &fake{reply: func(*meshv1.ReplyRequest) *meshv1.ReplyResponse {
		return &meshv1.ReplyResponse{Outcome: meshv1.Outcome_OUTCOME_DONE}
	}})
	c := dial(t, cfg, newBook(Member{Replica: id.Replica(1), Boot: "boot-a", Address: p.Address}))
	for boot, want := range map[string]error{"boot-b": nil, "boot-a": ErrUnknown, "": ErrUnknown} {
		_, err := c.Reply(timeout(t), 1, &meshv1.ReplyRequest{Boot: boot, Socket: 1})
		if !errors.Is(err, want) {
			t.Errorf("reply for %q: %v, want %v", boot, err, want)
		}
	}
}
