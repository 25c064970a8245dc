package plainjson

import (
	"encoding/json"
	"reflect"
	"testing"
)

// members is what the tests know of an object.
type members struct {
	Token string   `json:"token"`
	Kind  string   `json:"clientKind"`
	Until *int64   `json:"exp"`
	Docs  []string `json:"docs"`
}

var names = []string{"token", "clientKind", "exp", "docs"}

func read(b []byte) (m members, plain bool) {
	o := Read(b)
	for name, ok := o.Next(); ok; name, ok = o.Next() {
		switch string(name) {
		case "token":
			m.Token = string(o.Text())
		case "clientKind":
			m.Kind = string(o.Text())
		case "exp":
			n := o.number()
			m.Until = &n
		case "docs":
			m.Docs = o.Texts()
		default:
			o.Unknown(name, names...)
		}
	}
	return m, o.End()
}

// The first are read here, the others left to encoding/json.
var plain = []string{
	`{}`, ` { } `, `{"token":"abc","exp":1767330000,"docs":["a","b*"],"other":true}`, `{"docs":[]}`, `{ "docs" : [ "a" , "b" ] , "exp" : 0 }`,
	`{"x":null,"y":false,"z":"","n":12}`, `{"token":"a","token":"b","docs":["a"],"docs":[]}`, "{\"token\":\"\x7f\"}\n", `{"":"","clientKind":"web"}`,
	`{"exp":999999999999999}`,
}

var odd = []string{
	``, ` `, `{`, `{}}`, `{},`, `null`, `[]`, `"a"`, `{"token"}`, `{"token":}`, `{"token":"a"`, `{"token":"a",}`, `{,}`, `{"token":"a" "exp":1}`,
	`{"token":"\u0061"}`, "{\"token\":\"\n\"}", `{"token":"ä"}`, "{\"token\":\"\xff\"}", `{"token":null}`, `{"token":1}`, `{"docs":null}`, `{"docs":[1]}`,
	`{"docs":["a",]}`, `{"docs":["a" "b"]}`, `{"docs":["a"`, `{"docs":[`, `{"docs":[,]}`, `{"exp":1.5}`, `{"exp":-1}`, `{"exp":1e3}`, `{"exp":01}`, `{"exp":00}`, `{"exp":"1"}`,
	`{"exp":1000000000000000}`, `{"exp":}`, `{"exp":1x}`, `{"x":{}}`, `{"x":[]}`, `{"x":tru}`, `{"x":truex}`, `{"x":`, `{"Token":"a"}`, `{"TOKEN":1}`, `{"CLIENTkind":"a"}`,
	`{"\u0074oken":"a"}`, `{"to\u212aen":"a"}`, `{"token":"a"}x`, `{"token":"a"}{}`, `{"token`, `{"token":"a\"`,
}

func TestPlainObjectsAreReadAndOthersLeft(t *testing.T) {
	for _, text := range plain {
		if _, ok := read([]byte(text)); !ok {
			t.Errorf("%s is plain", text)
		}
		agree(t, []byte(text))
	}
	for _, text := range odd {
		if m, ok := read([]byte(text)); ok {
			t.Errorf("%s is not plain: %+v", text, m)
		}
	}
}

// agree holds that encoding/json reads the same of what is plain.
func agree(t *testing.T, b []byte) {
	t.Helper()
	m, ok := read(b)
	if !ok {
		return
	}
	var want members
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatalf("%s is read here, and not by encoding/json: %v", b, err)
	}
	if !reflect.DeepEqual(m, want) {
		t.Fatalf("%s\nis    %+v\n, not %+v", b, m, want)
	}
}

func FuzzObject(f *testing.F) {
	for _, text := range append(plain, odd...) {
		f.Add([]byte(text))
	}
	f.Fuzz(agree)
}

func TestReadingAllocatesNothing(t *testing.T) {
	b := []byte(`{"token":"abc","exp":1767330000,"other":"x","flag":true}`)
	n := testing.AllocsPerRun(100, func() {
		o := Read(b)
		for name, ok := o.Next(); ok; name, ok = o.Next() {
			switch string(name) {
			case "token":
				o.Text()
			case "exp":
				o.number()
			default:
				o.Unknown(name, "token", "exp")
			}
		}
		if !o.End() {
			t.Fatal("not plain")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
