package api

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/pkg/id"
	meshv1 "sluice/pkg/proto/mesh/v1"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestControlIsGroupedByReplicaAndAnswersInOrder(t *testing.T) {
	h := newHouse(t)
	one, two := h.resident(1), h.resident(2)
	a, b := one.connect(sid(1, 1), "ann"), one.connect(sid(1, 2), "bob")
	c := two.connect(sid(2, 1), "ann")
	moved := two.connect(sid(1, 3), "cid")
	gone := sid(2, 9)
	who := &sluicev1.Selection{Sockets: []string{moved.String(), c.String(), gone.String(), b.String()}, Users: []string{"ann"}}
	resp, err := h.client.Join(h.ctx(), &sluicev1.JoinRequest{Who: who, Documents: []string{"doc-1", "doc-2"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range resp.GetResults() {
		got = append(got, fmt.Sprintf("%s %s %s", r.GetSocket(), r.GetOutcome(), r.GetReason()))
	}
	want := []string{
		moved.String() + " OUTCOME_ACKED ", c.String() + " OUTCOME_ACKED ", gone.String() + " OUTCOME_OFFLINE gone",
		b.String() + " OUTCOME_ACKED ", a.String() + " OUTCOME_ACKED ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(one.controls) != 1 || len(one.controls[0].GetSockets()) != 3 {
		t.Errorf("replica 1 was asked %v", one.controls)
	}
	if len(two.controls) != 2 || len(two.controls[0].GetSockets()) != 2 || len(two.controls[1].GetSockets()) != 1 {
		t.Errorf("replica 2 was asked %v", two.controls)
	}
	for _, c := range append(one.controls, two.controls...) {
		if c.GetOp() != meshv1.ControlRequest_OP_JOIN || strings.Join(c.GetDocuments(), " ") != "doc-1 doc-2" {
			t.Errorf("%v", c)
		}
	}
}

func TestEachControlCarriesItsOwnFields(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	who := &sluicev1.Selection{Sockets: []string{one.connect(sid(1, 1), "ann").String()}}
	if _, err := h.client.Leave(h.ctx(), &sluicev1.LeaveRequest{Who: who, Documents: []string{"doc-1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: who}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: who, Reason: "rude", Close: true, Namespace: "/chat"}); err != nil {
		t.Fatal(err)
	}
	leave, kick, shut := one.controls[0], one.controls[1], one.controls[2]
	if leave.GetOp() != meshv1.ControlRequest_OP_LEAVE || leave.GetDocuments()[0] != "doc-1" {
		t.Errorf("%v", leave)
	}
	if kick.GetOp() != meshv1.ControlRequest_OP_KICK || kick.GetReason() != "kicked" || kick.GetClose() || kick.GetNamespace() != "/" {
		t.Errorf("%v", kick)
	}
	if shut.GetReason() != "rude" || !shut.GetClose() || shut.GetNamespace() != "/chat" {
		t.Errorf("%v", shut)
	}
}

func TestEveryOutcomeOfAControl(t *testing.T) {
	h := newHouse(t)
	one := h.resident(1)
	req := &sluicev1.JoinRequest{Who: &sluicev1.Selection{Sockets: []string{one.connect(sid(1, 1), "ann").String()}}, Documents: []string{"doc-1"}}
	join := func() string {
		t.Helper()
		resp, err := h.client.Join(h.ctx(), req)
		if err != nil {
			t.Fatal(err)
		}
		r := resp.GetResults()[0]
		return r.GetOutcome().String() + " " + r.GetReason()
	}
	for _, tc := range []struct {
		outcome meshv1.Outcome
		reason  string
		want    string
	}{
		{meshv1.Outcome_OUTCOME_DONE, "", "OUTCOME_ACKED "},
		{meshv1.Outcome_OUTCOME_DONE, "noise", "OUTCOME_ACKED "},
		{meshv1.Outcome_OUTCOME_REFUSED, "limit", "OUTCOME_UNSPECIFIED limit"},
		{meshv1.Outcome_OUTCOME_REFUSED, "", "OUTCOME_UNSPECIFIED refused"},
		{meshv1.Outcome_OUTCOME_OVERLOADED, "", "OUTCOME_OVERLOADED overloaded"},
		{meshv1.Outcome_OUTCOME_TIMEOUT, "", "OUTCOME_TIMEOUT timeout"},
		{meshv1.Outcome_OUTCOME_OFFLINE, "", "OUTCOME_OFFLINE offline"},
	} {
		one.outcome = func(*meshv1.ControlRequest, id.Socket) (meshv1.Outcome, string) { return tc.outcome, tc.reason }
		if got := join(); got != tc.want {
			t.Errorf("%v %q: %q, want %q", tc.outcome, tc.reason, got, tc.want)
		}
	}
	for err, want := range map[error]string{
		errGone:                     "OUTCOME_OVERLOADED no_gateway", // the index knows the socket
		errBusy:                     "OUTCOME_OVERLOADED overloaded",
		fmt.Errorf("anything else"): "OUTCOME_TIMEOUT timeout",
	} {
		h.mesh.mu.Lock()
		h.mesh.fail = err
		h.mesh.mu.Unlock()
		if got := join(); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestASelectionIsBoundedAfterItsUsersAreLookedUp(t *testing.T) {
	h := newHouse(t, func(w *world) { w.cfg.Limits.MaxSelected = 3 })
	one := h.resident(1)
	for i := range 2 {
		one.connect(sid(1, i+1), "ann")
		one.connect(sid(1, i+10), "bob")
	}
	kick := func(users ...string) error {
		_, err := h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: &sluicev1.Selection{Users: users}})
		return err
	}
	if err := kick("ann"); err != nil {
		t.Error(err)
	}
	if err := kick("ann", "bob"); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "who.users") {
		t.Errorf("%v", err)
	}
}

func TestLargeSelectionsAreSentInParts(t *testing.T) {
	h := newHouse(t, func(w *world) { w.cfg.Work.Chunk = 10 })
	one := h.resident(1)
	for i := range 35 {
		one.connect(sid(1, i+1), "ann")
	}
	resp, err := h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: &sluicev1.Selection{Users: []string{"ann"}}})
	if err != nil || len(resp.GetResults()) != 35 || len(one.controls) != 4 {
		t.Fatalf("%d results from %d requests, %v", len(resp.GetResults()), len(one.controls), err)
	}
	for _, r := range resp.GetResults() {
		if r.GetOutcome() != sluicev1.Outcome_OUTCOME_ACKED {
			t.Errorf("%v", r)
		}
	}
}

func TestASocketOnAProcessThatTheMeshDoesNotKnowYetIsNotCalledOffline(t *testing.T) {
	h := newHouse(t)
	h.resident(1)
	two := h.resident(2)
	moved, native := two.connect(sid(1, 1), "ann"), two.connect(sid(2, 1), "ann")
	h.mesh.mu.Lock()
	delete(h.mesh.gateways, 2)
	h.mesh.mu.Unlock()
	who := &sluicev1.Selection{Sockets: []string{moved.String(), native.String(), sid(2, 9).String()}}
	resp, err := h.client.Kick(h.ctx(), &sluicev1.KickRequest{Who: who})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []sluicev1.Outcome{
		sluicev1.Outcome_OUTCOME_OVERLOADED, sluicev1.Outcome_OUTCOME_OVERLOADED, sluicev1.Outcome_OUTCOME_OFFLINE,
	} {
		if r := resp.GetResults()[i]; r.GetOutcome() != want || r.GetReason() != reasonUnreached {
			t.Errorf("%d: %v, want %v", i, r, want)
		}
		s, _ := id.ParseSocket(who.GetSockets()[i])
		called, err := h.client.Call(h.ctx(), callSocket(s))
		if err != nil || called.GetResults()[0].GetOutcome() != want {
			t.Errorf("%d: %v, %v, want %v", i, called, err, want)
		}
	}
}
