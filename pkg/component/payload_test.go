package component

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestPackMakesAttachmentsOfBytes(t *testing.T) {
	type note struct {
		Text string `json:"text"`
		Blob []byte `json:"blob"`
	}
	for _, tc := range []struct {
		name        string
		args        []any
		want        string
		attachments []string
	}{
		{"none", nil, "[]", nil},
		{"values", []any{1, "a<b>&", nil, true, []string{"x"}}, `[1,"a<b>&",null,true,["x"]]`, nil},
		{"bytes", []any{[]byte("ab"), "c", []byte("")}, `[{"_placeholder":true,"num":0},"c",{"_placeholder":true,"num":1}]`, []string{"ab", ""}},
		{"nil bytes", []any{[]byte(nil)}, `[null]`, nil},
		{"in a map, by key", []any{map[string]any{"b": []byte("2"), "a": []byte("1"), "c": 3}},
			`[{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":1},"c":3}]`, []string{"1", "2"}},
		{"deep", []any{[]any{map[string]any{"x": []any{[]byte("1")}}}}, `[[{"x":[{"_placeholder":true,"num":0}]}]]`, []string{"1"}},
		{"in a struct", []any{note{"t", []byte("b")}}, `[{"text":"t","blob":"Yg=="}]`, nil},
		{"raw", []any{json.RawMessage(`{"a": 1}`)}, `[{"a":1}]`, nil},
		{"nil containers", []any{map[string]any(nil), []any(nil)}, `[null,null]`, nil},
	} {
		p, err := Pack(tc.args...)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var got []string
		for _, a := range p.Attachments {
			got = append(got, string(a))
		}
		if p.text() != tc.want || !reflect.DeepEqual(got, tc.attachments) {
			t.Errorf("%s: %s with %q, want %s with %q", tc.name, p.text(), got, tc.want, tc.attachments)
		}
	}
}

func TestPackDoesNotChangeItsArguments(t *testing.T) {
	m := map[string]any{"a": []byte("1"), "b": []any{[]byte("2")}}
	if _, err := Pack(m); err != nil {
		t.Fatal(err)
	}
	if want := (map[string]any{"a": []byte("1"), "b": []any{[]byte("2")}}); !reflect.DeepEqual(m, want) {
		t.Errorf("argument became %v", m)
	}
}

func TestPackRefuses(t *testing.T) {
	many := make([]any, 11)
	for i := range many {
		many[i] = []byte{1}
	}
	if _, err := Pack(many...); !errors.Is(err, ErrAttachments) {
		t.Errorf("11 attachments: %v", err)
	}
	if _, err := Pack(many[:10]...); err != nil {
		t.Errorf("10 attachments: %v", err)
	}
	loop := map[string]any{}
	loop["loop"] = loop
	if _, err := Pack(loop); err == nil {
		t.Error("a value that contains itself was packed")
	}
	if _, err := Pack(func() {}); err == nil {
		t.Error("a function was packed")
	}
}

func TestBindRestoresBytes(t *testing.T) {
	type note struct {
		Text  string             `json:"text"`
		Blob  []byte             `json:"blob"`
		Large json.Number        `json:"large"`
		Inner struct{ B []byte } `json:"inner"`
	}
	p := Payload{
		Args: json.RawMessage(`[{"_placeholder":true,"num":1},` +
			`{"text":"t","blob":{"_placeholder":true,"num":0},"large":12345678901234567890,"inner":{"B":{"num":1,"_placeholder":true}}},` +
			`{"x":[1,{"_placeholder":true,"num":0}]},[{"_placeholder":true,"num":0}],"aGk=","end"]`),
		Attachments: [][]byte{[]byte("zero"), []byte("one")},
	}
	var first []byte
	var second note
	var third map[string]any
	var fourth []any
	var fifth []byte
	var sixth string
	var seventh = "untouched"
	if err := p.Bind(&first, &second, &third, &fourth, &fifth, &sixth, &seventh); err != nil {
		t.Fatal(err)
	}
	if string(first) != "one" || string(second.Blob) != "zero" || second.Text != "t" || second.Large != "12345678901234567890" ||
		string(second.Inner.B) != "one" || string(fifth) != "hi" || sixth != "end" || seventh != "untouched" {
		t.Errorf("bound %q, %+v, %q, %q, %q", first, second, fifth, sixth, seventh)
	}
	if want := (map[string]any{"x": []any{1.0, []byte("zero")}}); !reflect.DeepEqual(third, want) {
		t.Errorf("map: %v", third)
	}
	if want := []any{[]byte("zero")}; !reflect.DeepEqual(fourth, want) {
		t.Errorf("slice: %v", fourth)
	}

	var dynamic any
	var raw json.RawMessage
	if err := p.Bind(&dynamic, &raw); err != nil || string(dynamic.([]byte)) != "one" || !json.Valid(raw) || raw[0] != '{' {
		t.Errorf("any: %v, raw: %s, %v", dynamic, raw, err)
	}
	if err := p.Bind(nil, nil, nil, nil, nil, &sixth); err != nil {
		t.Errorf("with nils: %v", err)
	}
}

func TestBindRefusesWhatIsNotThere(t *testing.T) {
	for _, args := range []string{
		`[{"_placeholder":true,"num":1}]`, `[{"_placeholder":true,"num":-1}]`, `[{"_placeholder":true,"num":0.5}]`,
		`[{"_placeholder":true,"num":"0"}]`, `[{"_placeholder":true}]`, `[{"_placeholder":true,"num":1e99}]`,
	} {
		p := Payload{Args: json.RawMessage(args), Attachments: [][]byte{{1}}}
		var dynamic any
		var typed struct{ A []byte }
		if err := p.Bind(&dynamic); !errors.Is(err, ErrPlaceholder) {
			t.Errorf("%s into any: %v, %v", args, dynamic, err)
		}
		if err := p.Bind(&typed); !errors.Is(err, ErrPlaceholder) {
			t.Errorf("%s into a struct: %v, %v", args, typed, err)
		}
	}
	if err := (Payload{Args: json.RawMessage(`{"a":1}`)}).Bind(new(any)); err == nil {
		t.Error("an object passed for a list of arguments")
	}
	if err := (Payload{Args: json.RawMessage(`["x"]`)}).Bind(new(int)); err == nil {
		t.Error("a string passed for an int")
	}
	if err := (Payload{}).Bind(new(int)); err != nil {
		t.Errorf("no arguments: %v", err)
	}
}

func TestAPlaceholderWithoutAttachmentsIsAnOrdinaryObject(t *testing.T) {
	var got map[string]any
	p := Payload{Args: json.RawMessage(`[{"_placeholder":true,"num":0}]`)}
	if err := p.Bind(&got); err != nil || got["_placeholder"] != true {
		t.Errorf("%v, %v", got, err)
	}
}
