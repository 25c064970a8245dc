package socketio

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The files under testdata hold what the JavaScript packages named in them
// produced, and what their decoders said to input written by hand.

type referencePacket struct {
	Name, Type, Nsp string
	ID              *uint64
	Text4, Text3    string
	Attachments     []hexBytes
	Msgpack         hexBytes
	Msgpack3        hexBytes
}

type referenceFile struct {
	Packets []referencePacket
	Dates   []struct {
		MS                   float64
		JSON                 string
		Notepack3, Notepack2 hexBytes
	}
	Others []struct {
		Name, JSON  string
		Frame       hexBytes
		Attachments []hexBytes
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func readTestdata(t testing.TB, file string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func plain(list []hexBytes) [][]byte {
	var out [][]byte
	for _, b := range list {
		out = append(out, b)
	}
	return out
}

// assembled runs a text packet and its attachments through Parse and Assembler.
func assembled(text []byte, rev Revision, attachments [][]byte) (Packet, [][]byte, error) {
	p, err := Parse(text, rev, Limits{})
	if err != nil {
		return p, nil, err
	}
	var a Assembler
	done, err := a.Packet(p)
	for _, b := range attachments {
		if err != nil {
			return p, nil, err
		}
		done, err = a.Binary(b)
	}
	if err != nil || !done {
		return p, nil, err
	}
	p, att := a.Take()
	return p, att, nil
}

// again appends a parsed packet the way a server or a client would send it.
func again(t *testing.T, p Packet, rev Revision) []byte {
	t.Helper()
	switch p.Type {
	case Event, BinaryEvent:
		name, args, err := EventArgs(p.Data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return AppendEvent(nil, p.Namespace, name, args, p.Attachments, p.HasID, p.ID, "")
	case Ack, BinaryAck:
		return AppendAck(nil, p.Namespace, p.ID, p.Data, p.Attachments)
	case Disconnect:
		return AppendDisconnect(nil, p.Namespace)
	case Connect:
		var d struct{ Sid, Pid string }
		_ = json.Unmarshal(p.Data, &d)
		switch {
		case d.Sid == "":
			return append(AppendConnect(nil, p.Namespace, "", Rev4), p.Data...)
		case d.Pid == "":
			return AppendConnect(nil, p.Namespace, d.Sid, rev)
		}
		return AppendConnectResumable(nil, p.Namespace, d.Sid, d.Pid)
	}
	var d struct {
		Message string
		Data    json.RawMessage
	}
	if err := json.Unmarshal(p.Data, &d); err != nil {
		t.Fatal(err)
	}
	return AppendConnectError(nil, p.Namespace, d.Message, d.Data, Rev5)
}

func TestTextPacketsAreByteForByteThoseOfTheReference(t *testing.T) {
	var ref referenceFile
	readTestdata(t, "reference.json", &ref)
	for _, want := range ref.Packets {
		for rev, text := range map[Revision]string{Rev5: want.Text4, Rev4: want.Text3} {
			p, att, err := assembled([]byte(text), rev, plain(want.Attachments))
			if err != nil {
				t.Errorf("%s: %v", want.Name, err)
				continue
			}
			if got := p.Type.String(); got != want.Type && got != "binary_"+want.Type {
				t.Errorf("%s: type %s", want.Name, got)
			}
			if p.Namespace != want.Nsp || p.HasID != (want.ID != nil) || p.HasID && p.ID != *want.ID {
				t.Errorf("%s: header %+v", want.Name, p)
			}
			if len(att) != len(want.Attachments) {
				t.Errorf("%s: %d attachments", want.Name, len(att))
			}
			for i := range att {
				if !bytes.Equal(att[i], want.Attachments[i]) {
					t.Errorf("%s: attachment %d is %x", want.Name, i, att[i])
				}
			}
			if rev == Rev4 && p.Type == Connect {
				continue // revision 4 has no payload to answer with
			}
			if want.Name == "event number name" {
				text = strings.Replace(text, "[12,", `["12",`, 1) // names are sent as strings
			}
			if got := again(t, p, rev); string(got) != text {
				t.Errorf("%s: appended\n%q, want\n%q", want.Name, got, text)
			}
		}
	}
}

// stricter lists what the reference's decoder accepts and this one does not, and
// why (doc.go).
var stricter = map[string]Reason{
	"":                                ErrEmpty,
	"0 {}":                            ErrPayload,
	"2":                               ErrPayload,
	"2 [\"a\"]":                       ErrPayload,
	"2\t[\"a\"]":                      ErrPayload,
	"2 7[\"a\"]":                      ErrPayload,
	"2/a,":                            ErrPayload,
	"2/a[\"a\"]":                      ErrPayload,
	"2/a7[\"a\"]":                     ErrPayload,
	"3":                               ErrPayload,
	"31":                              ErrPayload,
	"51-":                             ErrPayload,
	"61-7":                            ErrPayload,
	"29007199254740992[\"a\"]":        ErrAckID,
	"51.0-[\"a\"]":                    ErrAttachments,
	"51e0-[\"a\"]":                    ErrAttachments,
	"50x1-[\"a\"]":                    ErrAttachments,
	"5+1-[\"a\"]":                     ErrAttachments,
	"5 1-[\"a\"]":                     ErrAttachments,
	"2" + nested(33):                  ErrDepth,
	"299999999999999999999999[\"a\"]": ErrAckID,

	`51-["a",{"_placeholder":true,"num":-0}]`:  ErrPlaceholder,
	`51-["a",{"_placeholder":true,"num":0.5}]`: ErrPlaceholder,
	`52-["a",{"_placeholder":true,"num":1e0}]`: ErrPlaceholder,
	`52-["a",{"_placeholder":true,"num":1.0}]`: ErrPlaceholder,
}

// nested is an event whose arguments open n arrays at once.
func nested(n int) string {
	b := []byte(`["a",`)
	for range n - 1 {
		b = append(b, '[')
	}
	for range n {
		b = append(b, ']')
	}
	return string(b)
}

func TestEdgeCasesAreJudgedAsByTheReference(t *testing.T) {
	var verdicts []struct {
		Text    string
		Binary  int
		Parser4 string
	}
	readTestdata(t, "verdicts.json", &verdicts)
	listed := map[string]bool{}
	for _, v := range verdicts {
		p, err := Parse([]byte(v.Text), Rev5, Limits{})
		var a Assembler
		var done bool
		if err == nil {
			done, err = a.Packet(p)
		}
		for range v.Binary {
			if err == nil {
				done, err = a.Binary([]byte{0})
			}
		}
		if why, ok := stricter[v.Text]; ok {
			listed[v.Text] = true
			if err != why {
				t.Errorf("%q: %v, want %v", v.Text, err, why)
			}
			continue
		}
		got := "refused"
		switch {
		case err != nil:
		case done:
			got = "packet"
		case a.Waiting():
			got = "waiting"
		}
		if got != v.Parser4 {
			t.Errorf("%q and %d attachments: %s (%v), the reference says %s", v.Text, v.Binary, got, err, v.Parser4)
		}
	}
	for text := range stricter {
		if !listed[text] {
			t.Errorf("%q is listed as stricter and not among the verdicts", text)
		}
	}
}
