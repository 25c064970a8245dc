package docs

import "testing"

func slidesOf(t *testing.T, s *sluice) (all []slideView) {
	t.Helper()
	for _, p := range s.pushed("docs:slide") {
		all = append(all, argument[slideView](t, p))
	}
	return all
}

func TestSlidesFollowThePresenter(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.open("b", "welcome", "Heron")
	if answer := s.send("a", "docs:slide", `[{"index":2}]`); answer != `[{"error":"not_presenter"}]` {
		t.Fatalf("turning without presenting is answered %s", answer)
	}
	if answer := s.send("a", "docs:present", `[{"on":true,"index":1}]`); answer != `[{}]` {
		t.Fatalf("presenting is answered %s", answer)
	}
	s.send("a", "docs:slide", `[{"index":2}]`)
	s.send("b", "docs:present", `[{"on":true,"index":2}]`) // takes over
	if answer := s.send("a", "docs:slide", `[{"index":3}]`); answer != `[{"error":"not_presenter"}]` {
		t.Fatalf("turning for another presenter is answered %s", answer)
	}
	s.send("a", "docs:present", `[{"on":false}]`) // not a's to end
	s.send("b", "docs:present", `[{"on":false}]`)

	want := []slideView{
		{Index: 1, Presenter: "a", Name: "Otter"}, {Index: 2, Presenter: "a", Name: "Otter"},
		{Index: 2, Presenter: "b", Name: "Heron"}, {Index: 2},
	}
	got := slidesOf(t, s)
	if len(got) != len(want) {
		t.Fatalf("pushed %+v", got)
	}
	rev := int64(0)
	for i, v := range got {
		if v.Rev <= rev {
			t.Errorf("revision %d after %d", v.Rev, rev)
		}
		rev, v.Rev = v.Rev, 0
		if v != want[i] {
			t.Errorf("push %d is %+v, want %+v", i, v, want[i])
		}
	}
	if v := s.open("c", "welcome", "Newt"); v.Slide.Index != 2 || v.Slide.Rev != rev {
		t.Errorf("who comes later sees %+v", v.Slide)
	}
}

func TestThePresentationEndsWithItsPresenter(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.open("b", "welcome", "Heron")
	s.send("a", "docs:present", `[{"on":true,"index":4}]`)
	s.forget()
	if !s.deliver(s.disconnect("a")) {
		t.Fatal("not acknowledged")
	}
	if got := slidesOf(t, s); len(got) != 1 || got[0].Presenter != "" || got[0].Index != 4 {
		t.Fatalf("pushed %+v", got)
	}
}

func TestARenamedPresenterIsTold(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.send("a", "docs:present", `[{"on":true,"index":0}]`)
	s.forget()
	s.open("a", "welcome", "Pike")
	if got := slidesOf(t, s); len(got) != 1 || got[0].Name != "Pike" {
		t.Fatalf("pushed %+v", got)
	}
}
