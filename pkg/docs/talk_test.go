package docs

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestCommentGoesToEverybodyAndIsAnswered(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	up := s.event("a", "docs:comment", `[{"text":"  hello\nthere ","nonce":"n1"}]`)
	if !s.deliver(up) {
		t.Fatal("not acknowledged")
	}
	if got := decode[map[string]string](t, s.answer(up)); got["id"] != up.GetMid() {
		t.Fatalf("answered %v, want the id %s", got, up.GetMid())
	}
	p := s.pushed("docs:comment")
	if len(p) != 1 || p[0].GetDocuments()[0] != "welcome" || p[0].GetDelivery() != sluicev1.Delivery_DELIVERY_DURABLE || p[0].GetIdempotencyKey() != "comment:"+up.GetMid() {
		t.Fatalf("pushed %v", p)
	}
	want := comment{ID: up.GetMid(), From: "Otter", Hue: 200, Text: "hello\nthere", At: up.GetTime().AsTime().UnixMilli(), Nonce: "n1"}
	if got := argument[comment](t, p[0]); got != want {
		t.Fatalf("pushed %+v, want %+v", got, want)
	}
	if v := s.open("b", "welcome", "Heron"); len(v.Comments) != 1 || v.Comments[0] != want {
		t.Fatalf("who comes later is told %+v", v.Comments)
	}
}

func TestRedeliveredCommentIsOne(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	up := s.event("a", "docs:comment", `[{"text":"once","nonce":"n1"}]`)
	s.failures = 1 // the first delivery fails half way
	if s.deliver(up) {
		t.Fatal("acknowledged though nobody was told")
	}
	s.open("a", "welcome", "Renamed") // must not change what is pushed
	for range 2 {
		if !s.deliver(up) {
			t.Fatal("not acknowledged")
		}
	}
	again := s.event("a", "docs:comment", `[{"text":"once","nonce":"n1"}]`) // the client did not see the answer
	if !s.deliver(again) {
		t.Fatal("not acknowledged")
	}
	if got := decode[map[string]string](t, s.answer(again)); got["id"] != up.GetMid() {
		t.Fatalf("the second try is answered %v, want the id of the first, %s", got, up.GetMid())
	}
	if p := s.pushed("docs:comment"); len(p) != 1 {
		t.Fatalf("delivered %d times", len(p))
	}
	if v := s.open("b", "welcome", "Heron"); len(v.Comments) != 1 {
		t.Fatalf("kept %d times", len(v.Comments))
	}
}

func TestSameEventOrNonceIsTheSameComment(t *testing.T) {
	d := newDocument("welcome", 1)
	first := d.say(comment{ID: "1", Text: "first", Nonce: "n"})
	if got := d.say(comment{ID: "1", Text: "second"}); got != first {
		t.Errorf("the same event is %+v", got)
	}
	if got := d.say(comment{ID: "2", Text: "second", Nonce: "n"}); got != first {
		t.Errorf("the same nonce is %+v", got)
	}
	d.say(comment{ID: "3"})
	d.say(comment{ID: "4"})
	if len(d.comments) != 3 {
		t.Errorf("%d comments, want 3: without a nonce they are not the same", len(d.comments))
	}
}

// Pushed before a restart, under another name since: Sluice refuses the key,
// and it has been delivered.
func TestCommentOfBeforeARestartIsDone(t *testing.T) {
	s := serve(t, freshAddress(t))
	stop := run(t, s.address)
	s.open("a", "welcome", "Otter")
	up := s.event("a", "docs:comment", `[{"text":"once","nonce":"n1"}]`)
	if !s.deliver(up) {
		t.Fatal("not acknowledged")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	run(t, s.address)
	s.open("a", "welcome", "Heron")
	if !s.deliver(up) {
		t.Fatal("not acknowledged")
	}
	if p := s.pushed("docs:comment"); len(p) != 1 {
		t.Fatalf("delivered %d times", len(p))
	}
}

func TestOnlyTheLastCommentsAreKept(t *testing.T) {
	d := newDocument("welcome", 1)
	for i := range maxComments + 7 {
		d.say(comment{ID: fmt.Sprint(i)})
	}
	if len(d.comments) != maxComments || d.comments[0].ID != "7" {
		t.Fatalf("kept %d from %s", len(d.comments), d.comments[0].ID)
	}
}

func TestCursorIsEphemeralAndTheNewestOfItsSender(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	up := s.event("a", "docs:cursor", `[{"block":3,"x":0.5,"y":0.25,"at":17.5}]`)
	up.ReplyTo = ""
	if !s.deliver(up) {
		t.Fatal("not acknowledged")
	}
	p := s.pushed("docs:cursor")
	if len(p) != 1 || p[0].GetDelivery() != sluicev1.Delivery_DELIVERY_EPHEMERAL || p[0].GetLatestKey() != "cursor:a" || p[0].GetIdempotencyKey() != "" {
		t.Fatalf("pushed %v", p)
	}
	want := cursorView{Socket: "a", person: person{Name: "Otter", Hue: 200}, point: point{Block: 3, X: 0.5, Y: 0.25, At: 17.5}}
	if got := argument[cursorView](t, p[0]); got != want {
		t.Fatalf("pushed %+v, want %+v", got, want)
	}
}

func TestCursorThatCannotBePushedIsForgotten(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.failures = 1
	s.send("a", "docs:cursor", `[{"block":3,"x":0.5,"y":0.25}]`) // fails unless it is acknowledged
}

func TestOldCursorIsDropped(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	up := s.event("a", "docs:cursor", `[{"block":3,"x":0.5,"y":0.25}]`)
	up.Time = timestamppb.New(time.Now().Add(-2 * maxCursorAge))
	if !s.deliver(up) {
		t.Fatal("not acknowledged")
	}
	if p := s.pushed("docs:cursor"); len(p) != 0 {
		t.Fatalf("pushed %v", p)
	}
}

func TestWhoHasNothingOpenIsToldSo(t *testing.T) {
	s := begin(t)
	for name, args := range map[string]string{
		"docs:comment": `[{"text":"hi"}]`, "docs:present": `[{"on":true,"index":1}]`, "docs:slide": `[{"index":1}]`,
	} {
		if answer := s.send("a", name, args); answer != `[{"error":"not_open"}]` {
			t.Errorf("%s is answered %s", name, answer)
		}
	}
	if p := s.pushed("docs:hello"); len(p) != 0 {
		t.Fatalf("asked those who have an answer: %v", p)
	}
	cursor := s.event("a", "docs:cursor", `[{"block":0,"x":0,"y":0}]`)
	cursor.ReplyTo = ""
	if !s.deliver(cursor) {
		t.Fatal("not acknowledged")
	}
	if p := s.pushed("docs:hello"); len(p) != 1 || p[0].GetSockets()[0] != "a" {
		t.Fatalf("asked %v", p)
	}
}
