package docs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOddInputIsRefused(t *testing.T) {
	s := begin(t)
	s.open("a", "welcome", "Otter")
	s.forget()
	long := strings.Repeat("x", maxText+1)
	for _, c := range []struct{ event, args string }{
		{"docs:open", `[]`},
		{"docs:open", `["welcome"]`},
		{"docs:open", `[{"document":"","name":"Otter","hue":1}]`},
		{"docs:open", `[{"document":"a b","name":"Otter","hue":1}]`},
		{"docs:open", `[{"document":"../etc","name":"Otter","hue":1}]`},
		{"docs:open", fmt.Sprintf(`[{"document":%q,"name":"Otter","hue":1}]`, long[:maxDocument+1])},
		{"docs:open", `[{"document":"welcome","name":"  ","hue":1}]`},
		{"docs:open", fmt.Sprintf(`[{"document":"welcome","name":%q,"hue":1}]`, long[:maxName+1])},
		{"docs:open", `[{"document":"welcome","name":"a\nb","hue":1}]`},
		{"docs:open", `[{"document":"welcome","name":"abc\u202efed","hue":1}]`},
		{"docs:open", `[{"document":"welcome","name":"Otter","hue":361}]`},
		{"docs:open", `[{"document":"welcome","name":"Otter","hue":1.5}]`},
		{"docs:open", `[{"document":"welcome","name":["Otter"],"hue":1}]`},
		{"docs:cursor", `[{"block":-1,"x":0,"y":0}]`},
		{"docs:cursor", `[{"block":1000,"x":0,"y":0}]`},
		{"docs:cursor", `[{"block":0,"x":6.1,"y":0}]`},
		{"docs:cursor", `[{"block":0,"x":0,"y":-5.1}]`},
		{"docs:cursor", `[{"block":0,"x":"0","y":0}]`},
		{"docs:cursor", `[[]]`},
		{"docs:comment", `[{"text":""}]`},
		{"docs:comment", `[{"text":" \n "}]`},
		{"docs:comment", `[{"text":"bell\u0007"}]`},
		{"docs:comment", fmt.Sprintf(`[{"text":%q}]`, long)},
		{"docs:comment", fmt.Sprintf(`[{"text":"hi","nonce":%q}]`, long[:maxNonce+1])},
		{"docs:comment", `["hi"]`},
		{"docs:present", `[{"on":"yes"}]`},
		{"docs:present", `[{"on":true,"index":-1}]`},
		{"docs:slide", `[{"index":100}]`},
		{"docs:slide", `[{"index":null},`},
	} {
		if answer := s.send("a", c.event, c.args); answer != `[{"error":"bad_request"}]` {
			t.Errorf("%s %.80s is answered %s", c.event, c.args, answer)
		}
	}
	if len(s.pushes) != 0 {
		t.Errorf("pushed %v", s.pushes)
	}
}

func TestUnknownFieldsAndEventsAreNothing(t *testing.T) {
	s := begin(t)
	if answer := s.send("a", "docs:open", `[{"document":"welcome","name":"Otter","hue":1,"later":true},"more"]`); strings.Contains(answer, "error") {
		t.Errorf("an unknown field is answered %s", answer)
	}
	if answer := s.send("a", "docs:unheard", `[]`); answer != "" {
		t.Errorf("an unknown event is answered %s", answer)
	}
}

func TestNamesKeepTheirScript(t *testing.T) {
	for _, name := range []string{"Ottar Åse", "水獺", "выдра", "ثعلب الماء", "🦦 Otter", "O’Otter"} {
		if p := (person{Name: " " + name + "\t"}); p.check() != nil || p.Name != name {
			t.Errorf("%q became %q", name, p.Name)
		}
	}
}

func TestADocumentHasRoomForSoMany(t *testing.T) {
	l := newLibrary(nil, quiet())
	for i := range maxPeople {
		if _, _, _, err := l.enter(fmt.Sprint(i), "welcome", person{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := l.enter("late", "welcome", person{Name: "x"}); err != full {
		t.Fatalf("got %v, want %v", err, full)
	}
	view, _, _, err := l.enter("7", "welcome", person{Name: "y"})
	if err != nil {
		t.Fatalf("who is here already is refused: %v", err)
	}
	if len(view.People.People) != maxListed || view.People.Count != maxPeople {
		t.Fatalf("told of %d by name and %d in all", len(view.People.People), view.People.Count)
	}
}

func TestForgottenDocumentsAreThoseNobodyHasOpen(t *testing.T) {
	l := newLibrary(nil, quiet())
	now := time.Unix(1e9, 0)
	l.now = func() time.Time { now = now.Add(time.Second); return now }
	for i := range maxDocuments {
		if _, _, _, err := l.enter(fmt.Sprint("s", i), fmt.Sprint("d", i), person{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := l.enter("late", "another", person{Name: "x"}); err != full {
		t.Fatalf("got %v, want %v", err, full)
	}
	l.leave("s5")
	l.leave("s3")
	if _, _, fresh, err := l.enter("late", "another", person{Name: "x"}); err != nil || !fresh {
		t.Fatalf("no room was made: %v", err)
	}
	if l.docs["d5"] != nil || l.docs["d3"] == nil {
		t.Fatal("forgot another document than the one left first")
	}
}
