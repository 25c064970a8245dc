package api

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

func TestOmittedFieldsHaveTheirDefaults(t *testing.T) {
	p, err := DefaultLimits().push(&sluicev1.PushRequest{All: true, Event: &sluicev1.Event{Name: "e"}})
	if err != nil || p.namespace != "/" || string(p.event.args) != "[]" || p.ephemeral {
		t.Errorf("%+v, %v", p, err)
	}
	c, err := DefaultLimits().call(&sluicev1.CallRequest{
		Target: &sluicev1.CallRequest_User{User: "u"}, Event: &sluicev1.Event{Name: "e"},
	})
	if err != nil || c.wait != 3*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestOtherRequestsNameTheirFields(t *testing.T) {
	l := small()
	good := &sluicev1.Event{Name: "e"}
	socket := &sluicev1.CallRequest_Socket{Socket: id.Socket(9).String()}
	who := &sluicev1.Selection{Users: []string{"u"}}
	doc := &sluicev1.ListSocketsRequest_Document{Document: "d"}
	token := pageToken(id.DocTarget("d"), "cursor")
	to := replyTo{socket: 1, replica: 2, boot: "b", namespace: "/", ackID: 3}.String()
	for _, tc := range []struct {
		name  string
		req   proto.Message
		field string
	}{
		{"call", &sluicev1.CallRequest{Target: socket, Event: good, Timeout: durationpb.New(30 * time.Second)}, ""},
		{"call nobody", &sluicev1.CallRequest{Event: good}, "target"},
		{"call a bad socket", &sluicev1.CallRequest{Target: &sluicev1.CallRequest_Socket{Socket: "x"}, Event: good}, "socket"},
		{"call an empty user", &sluicev1.CallRequest{Target: &sluicev1.CallRequest_User{}, Event: good}, "user"},
		{"call without event", &sluicev1.CallRequest{Target: socket}, "event"},
		{"call too long", &sluicev1.CallRequest{Target: socket, Event: good, Timeout: durationpb.New(30*time.Second + 1)}, "timeout"},
		{"call into the past", &sluicev1.CallRequest{Target: socket, Event: good, Timeout: durationpb.New(-1)}, "timeout"},
		{"call a bad namespace", &sluicev1.CallRequest{Target: socket, Event: good, Namespace: "x"}, "namespace"},

		{"join", &sluicev1.JoinRequest{Who: who, Documents: names64("d")(l.MaxDocuments)}, ""},
		{"join nobody", &sluicev1.JoinRequest{Documents: []string{"d"}}, "who"},
		{"join nothing", &sluicev1.JoinRequest{Who: who}, "documents"},
		{"join too much", &sluicev1.JoinRequest{Who: who, Documents: names64("d")(l.MaxDocuments + 1)}, "documents"},
		{"join far too much", &sluicev1.JoinRequest{Who: who, Documents: names64("d")(100 * l.MaxDocuments)}, "documents"},
		{"join twice", &sluicev1.JoinRequest{Who: who, Documents: []string{"d", "d"}}, "documents[1]"},
		{"join a bad document", &sluicev1.JoinRequest{Who: who, Documents: []string{"d\n"}}, "documents[0]"},
		{"join a bad socket", &sluicev1.JoinRequest{Who: &sluicev1.Selection{Sockets: []string{"?"}}, Documents: []string{"d"}}, "who.sockets[0]"},
		{"join a bad user", &sluicev1.JoinRequest{Who: &sluicev1.Selection{Users: []string{""}}, Documents: []string{"d"}}, "who.users[0]"},
		{"join a user twice", &sluicev1.JoinRequest{Who: &sluicev1.Selection{Users: []string{"u", "u"}}, Documents: []string{"d"}}, "who.users[1]"},
		{"join just enough", &sluicev1.JoinRequest{Who: &sluicev1.Selection{Users: names64("u")(l.MaxTargets)}, Documents: []string{"d"}}, ""},
		{"join one too many", &sluicev1.JoinRequest{Who: &sluicev1.Selection{Users: names64("u")(l.MaxTargets + 1)}, Documents: []string{"d"}}, "who.users"},
		{"join far too many", &sluicev1.JoinRequest{Who: &sluicev1.Selection{Sockets: socketNames(100 * l.MaxTargets)}, Documents: []string{"d"}}, "who.sockets"},
		{"leave nothing", &sluicev1.LeaveRequest{Who: who}, "documents"},

		{"kick", &sluicev1.KickRequest{Who: who, Reason: strings.Repeat("r", maxReason)}, ""},
		{"kick nobody", &sluicev1.KickRequest{}, "who"},
		{"kick with a long reason", &sluicev1.KickRequest{Who: who, Reason: strings.Repeat("r", maxReason+1)}, "reason"},
		{"kick with a very long reason", &sluicev1.KickRequest{Who: who, Reason: strings.Repeat("r", 100*maxReason)}, "reason"},
		{"kick with a broken reason", &sluicev1.KickRequest{Who: who, Reason: "a\nb"}, "reason"},
		{"kick from a bad namespace", &sluicev1.KickRequest{Who: who, Namespace: "x"}, "namespace"},

		{"get", &sluicev1.GetSocketRequest{Socket: id.Socket(4).String()}, ""},
		{"get nothing", &sluicev1.GetSocketRequest{}, "socket"},
		{"get something else", &sluicev1.GetSocketRequest{Socket: "s:" + id.Socket(4).String()}, "socket"},

		{"list", &sluicev1.ListSocketsRequest{Of: doc, PageSize: 1000, PageToken: token}, ""},
		{"list nothing", &sluicev1.ListSocketsRequest{}, "of"},
		{"list a bad user", &sluicev1.ListSocketsRequest{Of: &sluicev1.ListSocketsRequest_User{}}, "user"},
		{"list a bad document", &sluicev1.ListSocketsRequest{Of: &sluicev1.ListSocketsRequest_Document{}}, "document"},
		{"list too many", &sluicev1.ListSocketsRequest{Of: doc, PageSize: 1001}, "page_size"},
		{"list far too many", &sluicev1.ListSocketsRequest{Of: doc, PageSize: 1<<32 - 1}, "page_size"},
		{"list with another list's token", &sluicev1.ListSocketsRequest{Of: doc, PageToken: pageToken(id.DocTarget("e"), "cursor")}, "page_token"},
		{"list with a user's token", &sluicev1.ListSocketsRequest{Of: doc, PageToken: pageToken(id.UserTarget("d"), "cursor")}, "page_token"},
		{"list with a long token", &sluicev1.ListSocketsRequest{Of: doc, PageToken: strings.Repeat("A", 513)}, "page_token"},
		{"list with garbage", &sluicev1.ListSocketsRequest{Of: doc, PageToken: "!"}, "page_token"},

		{"count", &sluicev1.CountSocketsRequest{Of: &sluicev1.CountSocketsRequest_User{User: "u"}}, ""},
		{"count nothing", &sluicev1.CountSocketsRequest{}, "of"},
		{"count a bad document", &sluicev1.CountSocketsRequest{Of: &sluicev1.CountSocketsRequest_Document{Document: "\x01"}}, "document"},

		{"reply", &sluicev1.ReplyRequest{ReplyTo: to, Args: `["x"]`}, ""},
		{"reply without arguments", &sluicev1.ReplyRequest{ReplyTo: to}, ""},
		{"reply to nobody", &sluicev1.ReplyRequest{}, "reply_to"},
		{"reply to garbage", &sluicev1.ReplyRequest{ReplyTo: to + "A"}, "reply_to"},
		{"reply with bad arguments", &sluicev1.ReplyRequest{ReplyTo: to, Args: "1"}, "args"},
		{"reply with too much", &sluicev1.ReplyRequest{ReplyTo: to, Args: `["` + strings.Repeat("x", l.MaxPayload) + `"]`}, "args"},
		{"reply with too many attachments", &sluicev1.ReplyRequest{ReplyTo: to, Attachments: make([][]byte, 11)}, "attachments"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := fields(t, check(l, tc.req)); got != tc.field {
				t.Errorf("refused %q, want %q", got, tc.field)
			}
		})
	}
}

func check(l Limits, req proto.Message) (err error) {
	switch r := req.(type) {
	case *sluicev1.PushRequest:
		_, err = l.push(r)
	case *sluicev1.CallRequest:
		_, err = l.call(r)
	case *sluicev1.JoinRequest:
		_, err = l.membership(r.GetWho(), r.GetDocuments())
	case *sluicev1.LeaveRequest:
		_, err = l.membership(r.GetWho(), r.GetDocuments())
	case *sluicev1.KickRequest:
		_, err = l.kick(r)
	case *sluicev1.GetSocketRequest:
		_, err = l.getSocket(r)
	case *sluicev1.ListSocketsRequest:
		_, err = l.list(r)
	case *sluicev1.CountSocketsRequest:
		_, err = l.count(r)
	case *sluicev1.ReplyRequest:
		_, err = l.reply(r)
	default:
		panic("no such request")
	}
	return err
}

func FuzzValidate(f *testing.F) {
	kinds := []proto.Message{
		&sluicev1.PushRequest{}, &sluicev1.CallRequest{}, &sluicev1.JoinRequest{}, &sluicev1.LeaveRequest{},
		&sluicev1.KickRequest{}, &sluicev1.GetSocketRequest{}, &sluicev1.ListSocketsRequest{},
		&sluicev1.CountSocketsRequest{}, &sluicev1.ReplyRequest{},
	}
	seed := func(kind int, m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, b)
	}
	seed(0, goodPush())
	seed(0, &sluicev1.PushRequest{
		Sockets: socketNames(3), Users: []string{"u"}, All: true, Namespace: "/n", ExceptSockets: socketNames(1),
		Event:  &sluicev1.Event{Name: "e", Args: `[{"_placeholder":true,"num":0}]`, Attachments: [][]byte{{1}}},
		Filter: &sluicev1.Filter{MinClientVersion: "1.2", Locales: []string{"en"}}, Delivery: sluicev1.Delivery_DELIVERY_EPHEMERAL,
		LatestKey: "k", DeliverWithin: durationpb.New(time.Second),
	})
	seed(1, &sluicev1.CallRequest{Target: &sluicev1.CallRequest_User{User: "u"}, Event: &sluicev1.Event{Name: "e"}, Timeout: durationpb.New(1)})
	seed(2, &sluicev1.JoinRequest{Who: &sluicev1.Selection{Sockets: socketNames(2)}, Documents: []string{"d"}})
	seed(4, &sluicev1.KickRequest{Who: &sluicev1.Selection{Users: []string{"u"}}, Reason: "r", Namespace: "/n"})
	seed(5, &sluicev1.GetSocketRequest{Socket: id.Socket(1).String()})
	seed(6, &sluicev1.ListSocketsRequest{Of: &sluicev1.ListSocketsRequest_User{User: "u"}, PageToken: pageToken(id.UserTarget("u"), "c")})
	seed(8, &sluicev1.ReplyRequest{ReplyTo: replyTo{socket: 1, boot: "b", namespace: "/"}.String(), Args: "[1]"})
	l := DefaultLimits()
	f.Fuzz(func(t *testing.T, kind int, wire []byte) {
		req := proto.Clone(kinds[uint(kind)%uint(len(kinds))])
		if proto.Unmarshal(wire, req) != nil {
			t.Skip()
		}
		if err := check(l, req); err != nil {
			if fields(t, err) == "" || len(err.Error()) > 64*maxViolations*4 {
				t.Errorf("refused with %q", err)
			}
			return
		}
		r, ok := req.(*sluicev1.PushRequest)
		if !ok {
			return
		}
		p, _ := l.push(r)
		if n := p.count(); n < 1 || n > l.MaxTargets+1 || p.bytes() > l.MaxPushBytes || len(p.namespace) == 0 {
			t.Errorf("accepted %+v", p)
		}
		for _, to := range p.targets() {
			if to.Check() != nil {
				t.Errorf("accepted the target %q", to)
			}
		}
		if p.digest() != second2(l.push(r)).digest() {
			t.Error("the digest changes")
		}
	})
}

func second2[T any](v T, _ error) T { return v }
