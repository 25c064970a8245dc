package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/pkg/id"
	sluicev1 "sluice/pkg/proto/sluice/v1"
)

// small are limits whose hundredfold fits into a test.
func small() Limits {
	l := DefaultLimits()
	l.MaxTargets, l.MaxPayload, l.MaxExcept, l.MaxFilter, l.MaxDocuments = 20, 1000, 10, 4, 8
	l.MaxPushBytes = 5000
	return l
}

func socketNames(n int) []string {
	return numbered(n, func(i int) string { return id.Socket(i + 1).String() })
}

func names64(prefix string) func(n int) []string {
	return func(n int) []string {
		return numbered(n, func(i int) string { return fmt.Sprintf("%s%d", prefix, i) })
	}
}

func numbered(n int, one func(i int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = one(i)
	}
	return out
}

func goodPush() *sluicev1.PushRequest {
	return &sluicev1.PushRequest{Documents: []string{"d"}, Event: &sluicev1.Event{Name: "e", Args: "[]"}}
}

// fields lists the fields that err names.
func fields(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var in *InvalidError
	if !errors.As(err, &in) || !errors.Is(err, ErrInvalid) {
		t.Fatalf("%v is no InvalidError", err)
	}
	var out []string
	for _, v := range in.Violations {
		out = append(out, v.Field)
	}
	return strings.Join(out, " ")
}

// TestPushLimits tries every limit at it, one above and a hundred times above.
func TestPushLimits(t *testing.T) {
	l := small()
	type set func(r *sluicev1.PushRequest, n int)
	for _, tc := range []struct {
		name  string
		limit int
		field string
		set   set
	}{
		{"sockets", l.MaxTargets - 1, "sockets", func(r *sluicev1.PushRequest, n int) { r.Sockets = socketNames(n) }},
		{"users", l.MaxTargets - 1, "users", func(r *sluicev1.PushRequest, n int) { r.Users = names64("u")(n) }},
		{"documents", l.MaxTargets, "documents", func(r *sluicev1.PushRequest, n int) { r.Documents = names64("d")(n) }},
		{"except", l.MaxExcept, "except_sockets", func(r *sluicev1.PushRequest, n int) { r.ExceptSockets = socketNames(n) }},
		{"user name", id.MaxName, "users[0]", func(r *sluicev1.PushRequest, n int) { r.Users = []string{strings.Repeat("u", n)} }},
		{"document name", id.MaxName, "documents[0]", func(r *sluicev1.PushRequest, n int) { r.Documents = []string{strings.Repeat("d", n)} }},
		{"namespace", l.MaxNamespace, "namespace", func(r *sluicev1.PushRequest, n int) { r.Namespace = "/" + strings.Repeat("n", n-1) }},
		{"event name", l.MaxEventName, "event.name", func(r *sluicev1.PushRequest, n int) { r.Event.Name = strings.Repeat("e", n) }},
		{"args", l.MaxPayload, "event.args", func(r *sluicev1.PushRequest, n int) { r.Event.Args = `["` + strings.Repeat("x", n-4) + `"]` }},
		{"args and attachments", l.MaxPayload, "event.args", func(r *sluicev1.PushRequest, n int) {
			r.Event.Args = `[{"_placeholder":true,"num":0}]`
			r.Event.Attachments = [][]byte{make([]byte, n-len(r.Event.Args))}
		}},
		{"attachments", l.MaxAttachments, "event.attachments", func(r *sluicev1.PushRequest, n int) {
			r.Event.Attachments = make([][]byte, n)
			r.Event.Args = "[" + strings.Join(numbered(n, func(i int) string {
				return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i)
			}), ",") + "]"
		}},
		{"depth", l.MaxDepth, "event.args", func(r *sluicev1.PushRequest, n int) {
			r.Event.Args = strings.Repeat("[", n) + strings.Repeat("]", n)
		}},
		{"idempotency key", maxKey, "idempotency_key", func(r *sluicev1.PushRequest, n int) { r.IdempotencyKey = strings.Repeat("k", n) }},
		{"latest key", maxKey, "latest_key", func(r *sluicev1.PushRequest, n int) {
			r.LatestKey, r.Delivery = strings.Repeat("k", n), sluicev1.Delivery_DELIVERY_EPHEMERAL
		}},
		{"auth types", l.MaxFilter, "filter.auth_types", func(r *sluicev1.PushRequest, n int) {
			r.Filter = &sluicev1.Filter{AuthTypes: names64("a")(n)}
		}},
		{"locales", l.MaxFilter, "filter.locales", func(r *sluicev1.PushRequest, n int) {
			r.Filter = &sluicev1.Filter{Locales: names64("l")(n)}
		}},
		{"auth type", maxFilterText, "filter.auth_types[0]", func(r *sluicev1.PushRequest, n int) {
			r.Filter = &sluicev1.Filter{AuthTypes: []string{strings.Repeat("a", n)}}
		}},
		{"version parts", 5, "filter.min_client_version", func(r *sluicev1.PushRequest, n int) {
			r.Filter = &sluicev1.Filter{MinClientVersion: strings.TrimSuffix(strings.Repeat("1.", n), ".")}
		}},
		{"version digits", 9, "filter.max_client_version", func(r *sluicev1.PushRequest, n int) {
			r.Filter = &sluicev1.Filter{MaxClientVersion: strings.Repeat("1", n)}
		}},
		{"deliver within", int(maxWithin / time.Second), "deliver_within", func(r *sluicev1.PushRequest, n int) {
			r.DeliverWithin = durationpb.New(time.Duration(n) * time.Second)
		}},
		{"payload times targets", l.MaxPushBytes / 10, "event", func(r *sluicev1.PushRequest, n int) {
			// Ten targets; the event's size is the name's byte, the brackets and this.
			r.Documents = names64("d")(10)
			if r.Event.Args = `["` + strings.Repeat("x", min(n, l.MaxPayload)-5) + `"]`; n > l.MaxPayload {
				r.Documents = names64("d")(l.MaxTargets)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for n, want := range map[int]string{tc.limit: "", tc.limit + 1: tc.field, 100 * tc.limit: tc.field} {
				r := goodPush()
				tc.set(r, n)
				_, err := l.push(r)
				if got := fields(t, err); got != want {
					t.Errorf("%d: refused %q, want %q: %v", n, got, want, err)
				}
			}
		})
	}
}

func TestPushFieldsAreNamedAndTheirValuesAreNot(t *testing.T) {
	const secret = "s3cr3t"
	for _, tc := range []struct {
		name, field string
		set         func(r *sluicev1.PushRequest)
	}{
		{"no target", "sockets", func(r *sluicev1.PushRequest) { r.Documents = nil }},
		{"empty socket", "sockets[0]", func(r *sluicev1.PushRequest) { r.Sockets = []string{""} }},
		{"bad socket", "sockets[1]", func(r *sluicev1.PushRequest) { r.Sockets = []string{id.Socket(5).String(), secret} }},
		{"socket zero", "sockets[0]", func(r *sluicev1.PushRequest) { r.Sockets = []string{strings.Repeat("0", 13)} }},
		{"upper case socket", "sockets[0]", func(r *sluicev1.PushRequest) { r.Sockets = []string{"000000000000A"} }},
		{"socket twice", "sockets[1]", func(r *sluicev1.PushRequest) { r.Sockets = []string{id.Socket(5).String(), id.Socket(5).String()} }},
		{"empty user", "users[0]", func(r *sluicev1.PushRequest) { r.Users = []string{""} }},
		{"user twice", "users[2]", func(r *sluicev1.PushRequest) { r.Users = []string{secret, "b", secret} }},
		{"user with a control character", "users[0]", func(r *sluicev1.PushRequest) { r.Users = []string{secret + "\n"} }},
		{"user with DEL", "users[0]", func(r *sluicev1.PushRequest) { r.Users = []string{secret + "\x7f"} }},
		{"user with C1", "users[0]", func(r *sluicev1.PushRequest) { r.Users = []string{secret + "\u0085"} }},
		{"user not UTF-8", "users[0]", func(r *sluicev1.PushRequest) { r.Users = []string{secret + "\xff"} }},
		{"empty document", "documents[0]", func(r *sluicev1.PushRequest) { r.Documents = []string{""} }},
		{"document twice", "documents[1]", func(r *sluicev1.PushRequest) { r.Documents = []string{secret, secret} }},
		{"document with NUL", "documents[0]", func(r *sluicev1.PushRequest) { r.Documents = []string{secret + "\x00"} }},
		{"namespace without slash", "namespace", func(r *sluicev1.PushRequest) { r.Namespace = secret }},
		{"namespace with comma", "namespace", func(r *sluicev1.PushRequest) { r.Namespace = "/" + secret + "," }},
		{"namespace with query", "namespace", func(r *sluicev1.PushRequest) { r.Namespace = "/" + secret + "?a" }},
		{"namespace with control", "namespace", func(r *sluicev1.PushRequest) { r.Namespace = "/" + secret + "\r" }},
		{"no event", "event", func(r *sluicev1.PushRequest) { r.Event = nil }},
		{"no event name", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "" }},
		{"reserved connect", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "connect" }},
		{"reserved connect_error", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "connect_error" }},
		{"reserved disconnect", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "disconnect" }},
		{"reserved disconnecting", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "disconnecting" }},
		{"reserved newListener", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "newListener" }},
		{"reserved removeListener", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "removeListener" }},
		{"the gateway's own event", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = "sluice:" + secret }},
		{"event name with control", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = secret + "\t" }},
		{"event name not UTF-8", "event.name", func(r *sluicev1.PushRequest) { r.Event.Name = secret + "\xc0" }},
		{"args no array", "event.args", func(r *sluicev1.PushRequest) { r.Event.Args = `{"a":"` + secret + `"}` }},
		{"args no JSON", "event.args", func(r *sluicev1.PushRequest) { r.Event.Args = `[` + secret }},
		{"placeholder too many", "event.args", func(r *sluicev1.PushRequest) { r.Event.Args = `[{"_placeholder":true,"num":0}]` }},
		{"attachment too many", "event.args", func(r *sluicev1.PushRequest) { r.Event.Attachments = [][]byte{[]byte(secret)} }},
		{"bad except", "except_sockets[0]", func(r *sluicev1.PushRequest) { r.ExceptSockets = []string{secret} }},
		{"except twice", "except_sockets[1]", func(r *sluicev1.PushRequest) {
			r.ExceptSockets = []string{id.Socket(5).String(), id.Socket(5).String()}
		}},
		{"auth type empty", "filter.auth_types[0]", func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{AuthTypes: []string{""}} }},
		{"auth type twice", "filter.auth_types[1]", func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{AuthTypes: []string{secret, secret}} }},
		{"version", "filter.min_client_version", func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{MinClientVersion: "1." + secret} }},
		{"version with empty part", "filter.min_client_version", func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{MinClientVersion: "1..2"} }},
		{"version with sign", "filter.max_client_version", func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{MaxClientVersion: "+1"} }},
		{"versions crossed", "filter.max_client_version", func(r *sluicev1.PushRequest) {
			r.Filter = &sluicev1.Filter{MinClientVersion: "1.10", MaxClientVersion: "1.9.9"}
		}},
		{"locale with control", "filter.locales[0]", func(r *sluicev1.PushRequest) { r.Filter = &sluicev1.Filter{Locales: []string{secret + "\n"}} }},
		{"unknown delivery", "delivery", func(r *sluicev1.PushRequest) { r.Delivery = 7 }},
		{"key of an ephemeral push", "idempotency_key", func(r *sluicev1.PushRequest) {
			r.IdempotencyKey, r.Delivery = secret, sluicev1.Delivery_DELIVERY_EPHEMERAL
		}},
		{"key with control", "idempotency_key", func(r *sluicev1.PushRequest) { r.IdempotencyKey = secret + "\x1b" }},
		{"latest key of a durable push", "latest_key", func(r *sluicev1.PushRequest) { r.LatestKey = secret }},
		{"negative duration", "deliver_within", func(r *sluicev1.PushRequest) { r.DeliverWithin = durationpb.New(-1) }},
		{"broken duration", "deliver_within", func(r *sluicev1.PushRequest) { r.DeliverWithin = &durationpb.Duration{Seconds: 1, Nanos: -1} }},
		{"endless duration", "deliver_within", func(r *sluicev1.PushRequest) { r.DeliverWithin = &durationpb.Duration{Seconds: 1 << 62} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := goodPush()
			tc.set(r)
			_, err := DefaultLimits().push(r)
			if got := fields(t, err); got != tc.field {
				t.Errorf("refused %q, want %q", got, tc.field)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error repeats the value: %v", err)
			}
		})
	}
}

func TestAllProblemsAreToldButNotEndlessly(t *testing.T) {
	r := goodPush()
	r.Namespace, r.Event.Name, r.IdempotencyKey = "x", "connect", "a\n"
	if got := fields(t, second(DefaultLimits().push(r))); got != "namespace event.name idempotency_key" {
		t.Errorf("refused %q", got)
	}
	r.Sockets = numbered(9000, func(int) string { return "bad" })
	var in *InvalidError
	if !errors.As(second(DefaultLimits().push(r)), &in) || len(in.Violations) != maxViolations {
		t.Errorf("%d violations", len(in.Violations))
	}
}

func second[T any](_ T, err error) error { return err }

func TestAValidPushKeepsEverything(t *testing.T) {
	r := &sluicev1.PushRequest{
		Sockets: socketNames(2), Users: []string{"u:1", "ü 2"}, Documents: []string{"d/1"}, All: true,
		Namespace: "/chat", Event: &sluicev1.Event{Name: "__proto__", Args: `[1]`},
		ExceptSockets: socketNames(1), Filter: &sluicev1.Filter{MinClientVersion: "1.9", MaxClientVersion: "1.10", Locales: []string{"en"}},
		IdempotencyKey: strings.Repeat("k", 128), DeliverWithin: durationpb.New(1500 * time.Microsecond),
	}
	p, err := DefaultLimits().push(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, to := range p.targets() {
		got = append(got, to.String())
	}
	want := "a: d:d/1 u:u:1 u:ü 2 s:0000000000002 s:0000000000004"
	if strings.Join(got, " ") != want {
		t.Errorf("targets %q, want %q", got, want)
	}
	if p.count() != 6 || p.namespace != "/chat" || len(p.except) != 1 || millisUp(p.within) != 2 {
		t.Errorf("%+v", p)
	}
}

// check runs the validation of any request.
// FuzzValidate feeds requests as they come from the wire to every validation. What is
// accepted must be within what the rest of the service takes for granted.
