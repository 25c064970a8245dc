package socketio

import "testing"

func TestPacketsOfTheOldMsgpackParser(t *testing.T) {
	for text, want := range map[string]Packet{
		`{"type":0,"nsp":"/"}`:                                 {Type: Connect, Namespace: "/"},
		`{"type":0,"query":"token=a","nsp":"/custom?token=a"}`: {Type: Connect, Namespace: "/custom", Query: "token=a"},
		`{"type":1,"nsp":"/custom"}`:                           {Type: Disconnect, Namespace: "/custom"},
		` { "nsp" : "\/a" , "type" : 1 } `:                     {},
		`{ "nsp" : "\/a" , "type" : 1 } `:                      {Type: Disconnect, Namespace: "/a"},
		`{"type":1,"nsp":"/a","options":{"compress":true}}`:    {Type: Disconnect, Namespace: "/a"},
	} {
		p, err := ParseMsgpackText([]byte(text), Limits{})
		if want.Namespace == "" {
			if err == nil {
				t.Errorf("%s: accepted", text)
			}
			continue
		}
		if err != nil || p.Type != want.Type || p.Namespace != want.Namespace || p.Query != want.Query || p.Data != nil {
			t.Errorf("%s: %+v %v", text, p, err)
		}
	}
	for text, want := range map[string]error{
		``: ErrEmpty, `x`: ErrJSON, `[]`: ErrJSON, `{}`: ErrType, `{"type":0}`: ErrNamespace,
		`{"type":2,"nsp":"/"}`: ErrType, `{"type":4,"nsp":"/"}`: ErrType, `{"type":"0","nsp":"/"}`: ErrType, `{"type":-1,"nsp":"/"}`: ErrType,
		`{"type":0,"nsp":1}`: ErrNamespace, `{"type":0,"nsp":""}`: ErrNamespace, `{"type":0,"nsp":"a"}`: ErrNamespace,
		`{"type":0,"nsp":"/","nsp":null}`: ErrNamespace, `{"type":0,"nsp":"/\u0000"}`: ErrNamespace,
		`{"type":0,"nsp":"/","data":{}}`: ErrPayload, `{"type":0,"nsp":"/","id":1}`: ErrPayload, `{"type":0,"nsp":"/"}x`: ErrJSON,
		`{"type":0,"nsp":"/","x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`: ErrDepth,
	} {
		if _, err := ParseMsgpackText([]byte(text), Limits{}); err != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestPacketsForTheOldMsgpackParser(t *testing.T) {
	for got, want := range map[string]string{
		string(AppendMsgpackText(nil, Connect, "/")):                  `{"type":0,"nsp":"/"}`,
		string(AppendMsgpackText(nil, Disconnect, `/"`)):              `{"type":1,"nsp":"/\""}`,
		string(AppendMsgpackTextError(nil, "", "Invalid namespace")):  `{"type":4,"nsp":"/","data":"Invalid namespace"}`,
		string(AppendMsgpackTextError(nil, "/a", "line\nand \"this")): `{"type":4,"nsp":"/a","data":"line\nand \"this"}`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// The old parser says that an event holds binary, and sends it in one piece.
func TestBinaryTypesInMessagePack(t *testing.T) {
	event := []byte("\x84\xa4type\x05\xa4data\x92\xa1m\xc4\x01\x03\xa7options\x81\xa8compress\xc3\xa3nsp\xa1/")
	p, attachments, err := ParseMsgpack(event, Rev4, Limits{})
	if err != nil || p.Type != BinaryEvent || string(p.Data) != `["m",{"_placeholder":true,"num":0}]` || len(attachments) != 1 || string(attachments[0]) != "\x03" {
		t.Errorf("%+v %q %v", p, attachments, err)
	}
	ack := []byte("\x84\xa4type\x06\xa4data\x91\x01\xa2id\x07\xa3nsp\xa1/")
	if p, _, err = ParseMsgpack(ack, Rev4, Limits{}); err != nil || p.Type != Ack || p.ID != 7 || p.Attachments != 0 {
		t.Errorf("an ack without binary after all: %+v %v", p, err)
	}
	for _, rev := range []Revision{Rev4, Rev5} {
		for typ := byte(4); typ < 9; typ++ {
			_, _, err := ParseMsgpack([]byte("\x83\xa4type"+string(rune(typ))+"\xa4data\x91\x01\xa3nsp\xa1/"), rev, Limits{})
			if taken := err != ErrType; taken != (typ == 4 || rev == Rev4 && typ < 7) {
				t.Errorf("type %d of revision %d: %v", typ, rev, err)
			}
		}
	}
}
