package docs

import (
	"testing"

	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func names(v peopleView) (all []string) {
	for _, p := range v.People {
		all = append(all, p.Name)
	}
	return all
}

func TestOpeningJoinsAndTellsEverybody(t *testing.T) {
	s := begin(t)
	first := s.open("a", "welcome", "Otter")
	if first.Socket != "a" || first.Document != "welcome" {
		t.Fatalf("the answer is about %s in %s", first.Socket, first.Document)
	}
	second := s.open("b", "welcome", "Heron")
	if got := s.documentsOf("b"); len(got) != 1 || got[0] != "welcome" {
		t.Fatalf("the socket is a member of %v", got)
	}
	if got := names(second.People); len(got) != 2 || got[0] != "Otter" || got[1] != "Heron" {
		t.Fatalf("the second was told of %v", got)
	}
	if second.People.Rev <= first.People.Rev {
		t.Fatalf("revision %d after %d", second.People.Rev, first.People.Rev)
	}
	pushes := s.pushed("docs:presence")
	if len(pushes) != 2 || pushes[1].GetDelivery() != sluicev1.Delivery_DELIVERY_DURABLE || pushes[1].GetDocuments()[0] != "welcome" {
		t.Fatalf("pushed %v", pushes)
	}
	if v := argument[peopleView](t, pushes[1]); v.Rev != second.People.Rev || v.Count != 2 {
		t.Fatalf("pushed %+v, answered %+v", v, second.People)
	}
}

func TestAnotherNameIsToldAndTheSameOneIsNot(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.forget()
	s.open("a", "welcome", "Otter")
	if p := s.pushed("docs:presence"); len(p) != 0 {
		t.Fatalf("pushed though nothing changed: %v", p)
	}
	if v := s.open("a", "welcome", "Pike"); v.People.Count != 1 || v.People.People[0].Name != "Pike" {
		t.Fatalf("after another name: %+v", v.People)
	}
	if p := s.pushed("docs:presence"); len(p) != 1 {
		t.Fatalf("%d pushes of another name, want 1", len(p))
	}
}

func TestLeavingIsTold(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.open("b", "welcome", "Heron")
	s.forget()
	if !s.deliver(s.disconnect("a")) {
		t.Fatal("not acknowledged")
	}
	p := s.pushed("docs:presence")
	if len(p) != 1 {
		t.Fatalf("%d pushes, want 1", len(p))
	}
	if got := names(argument[peopleView](t, p[0])); len(got) != 1 || got[0] != "Heron" {
		t.Fatalf("left are %v", got)
	}
}

// A change that could not be told is owed: the event comes again, changes
// nothing any more, and tells.
func TestWhatCouldNotBeToldIsToldOnRedelivery(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.open("b", "welcome", "Heron")
	s.forget()
	gone := s.disconnect("a")
	s.failures = 1
	if s.deliver(gone) {
		t.Fatal("acknowledged though nobody was told")
	}
	if !s.deliver(gone) {
		t.Fatal("not acknowledged the second time")
	}
	if p := s.pushed("docs:presence"); len(p) != 1 || argument[peopleView](t, p[0]).Count != 1 {
		t.Fatalf("pushed %v", p)
	}
}

func TestAnotherDocumentIsLeftFor(t *testing.T) {
	s := begin(t)
	s.open("a", "one", "Otter")
	s.open("b", "one", "Heron")
	s.forget()
	s.open("a", "two", "Otter")
	if got := s.documentsOf("a"); len(got) != 1 || got[0] != "two" {
		t.Fatalf("a member of %v", got)
	}
	counts := map[string]int{}
	for _, p := range s.pushed("docs:presence") {
		counts[p.GetDocuments()[0]] = argument[peopleView](t, p).Count
	}
	if counts["one"] != 1 || counts["two"] != 1 {
		t.Fatalf("told %v, want one in each", counts)
	}
}

func TestWhoLeftBeforeTheJoinIsNotHere(t *testing.T) {
	s := begin(t)
	s.offline["a"] = true
	if answer := s.send("a", "docs:open", `[{"document":"welcome","name":"Otter","hue":1}]`); answer != "" {
		t.Fatalf("answered %s", answer)
	}
	if v := s.open("b", "welcome", "Heron"); v.People.Count != 1 {
		t.Fatalf("%d people, want 1", v.People.Count)
	}
}

func TestARefusedJoinIsTheAnswer(t *testing.T) {
	s := begin(t)
	s.refusal = "too_many_documents"
	if answer := s.send("a", "docs:open", `[{"document":"welcome","name":"Otter","hue":1}]`); answer != `[{"error":"too_many_documents"}]` {
		t.Fatalf("answered %s", answer)
	}
	if p := s.pushed("docs:presence"); len(p) != 0 {
		t.Fatalf("pushed %v", p)
	}
}

// After a restart the component knows nobody; the members who are still there
// are asked, once, to say who they are.
func TestStateComesBackAfterARestart(t *testing.T) {
	s := serve(t, freshAddress(t))
	stop := run(t, s.address)
	s.open("a", "welcome", "Otter")
	before := s.open("b", "welcome", "Heron")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	run(t, s.address)
	s.forget()

	fresh := s.open("c", "welcome", "Newt")
	asked := s.pushed("docs:hello")
	if len(asked) != 1 || len(asked[0].GetSockets()) != 2 {
		t.Fatalf("asked %v, want a and b", asked)
	}
	if fresh.People.Rev <= before.People.Rev {
		t.Fatalf("revision %d after the restart, %d before it", fresh.People.Rev, before.People.Rev)
	}
	s.open("a", "welcome", "Otter")
	if v := s.open("b", "welcome", "Heron"); v.People.Count != 3 {
		t.Fatalf("%d people after all have answered, want 3", v.People.Count)
	}
	if asked := s.pushed("docs:hello"); len(asked) != 1 {
		t.Fatalf("asked %d times", len(asked))
	}
}
