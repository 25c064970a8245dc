package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// authOf is the auth payload of a user of this kind alone.
func authOf(t *testing.T, kind string, more ...string) string {
	t.Helper()
	auth := fmt.Sprintf(`"token":%q`, token(t, "mean "+kind, "own-*"))
	return "{" + strings.Join(append(more, auth), ",") + "}"
}

// textFrame is a text frame.
func textFrame(s string) []byte { return frame(nil, 0x81, []byte(s)) }

// binaryFrame is a binary frame.
func binaryFrame(s string) []byte { return frame(nil, 0x82, []byte(s)) }

// mean is an attack that connects as it should, and is closed for what it says
// then.
func mean(t *testing.T, name string, said ...[]byte) attack {
	t.Helper()
	auth := authOf(t, name)
	return attack{name, func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, auth)
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // the gateway has closed it
		for _, b := range said {
			if s.raw(b) != nil {
				break // it is closed already, and the frame that says so is on its way
			}
		}
		return s.closedWith(0)
	}}
}

// denied is an attack that connects as it should, says packets, and is answered
// with a refusal; the connection goes on.
func denied(t *testing.T, name, want string, said ...string) attack {
	t.Helper()
	auth := authOf(t, name)
	return attack{name, func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, auth)
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // it goes on until here
		for _, packet := range said {
			if err := s.text(packet); err != nil {
				return err
			}
		}
		return s.expect(want)
	}}
}

func socketioAttacks(t *testing.T) []attack {
	const placeholder = `{"_placeholder":true,"num":0}`
	msgpack := "\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa5token" + packed(token(t, "mean packer"))
	join := func(doc string) string {
		b, _ := json.Marshal([]string{"sluice:join", doc}) // strings always encode
		return "427" + string(b)
	}
	all := []attack{
		{"event before CONNECT", broken(0, textFrame(`42["x"]`))},
		{"CONNECT with an array", broken(0, textFrame(`40["x"]`))},
		{"CONNECT with a string", broken(0, textFrame(`40"x"`))},
		{"CONNECT that is no JSON", broken(0, textFrame(`40{"token":`))},
		{"namespace of a kilobyte", broken(0, textFrame("40/"+strings.Repeat("n", 1000)))},
		{"namespace with control characters", broken(0, textFrame("40/"+evil))},
		{"MessagePack of nothing", broken(0, binaryFrame("\xc1\xc1\xc1"))},
		{"MessagePack of four billion entries", broken(0, binaryFrame("\x83\xa4type\x00\xa3nsp\xa1/\xa4data\xdf\xff\xff\xff\xff"))},
		{"MessagePack client with text", broken(0, binaryFrame(msgpack), textFrame(`42["x"]`))},
		{"MessagePack nested without end", broken(0, binaryFrame(msgpack), binaryFrame("\x83\xa4type\x02\xa3nsp\xa1/\xa4data"+strings.Repeat("\x91", 50_000)))},
		mean(t, "CONNECT twice", textFrame("40")),
		mean(t, "event to another namespace", textFrame(`42/a,["x"]`)),
		mean(t, "event that is no array", textFrame(`42{"a":1}`)),
		mean(t, "event without arguments", textFrame(`42[]`)),
		mean(t, "event named by an object", textFrame(`42[{}]`)),
		mean(t, "event cut short", textFrame(`42["x"`)),
		mean(t, "bytes behind an event", textFrame(`42["x"]y`)),
		mean(t, "JSON a hundred thousand deep", textFrame(`42["x",`+strings.Repeat("[", 45_000)+strings.Repeat("]", 45_000)+`]`)),
		mean(t, "event name of a kilobyte", textFrame(`42["`+strings.Repeat("e", 1000)+`"]`)),
		mean(t, "reserved event disconnecting", textFrame(`42["disconnecting"]`)),
		mean(t, "reserved event newListener", textFrame(`42["newListener"]`)),
		mean(t, "event of the gateway's own", textFrame(`42["sluice:closing",{"code":"forged"}]`)),
		mean(t, "ack id without end", textFrame(`42`+strings.Repeat("9", 400)+`["x"]`)),
		mean(t, "ack id below zero", textFrame(`42-1["x"]`)),
		mean(t, "a million attachments", textFrame(`451000000-["x"]`)),
		mean(t, "attachments of a fraction", textFrame(`451.5-["x"]`)),
		mean(t, "text while an attachment is missing", textFrame(`451-["x",`+placeholder+`]`), textFrame(`42["y"]`)),
		mean(t, "attachments that never come", textFrame(`451-["x",`+placeholder+`,"`+strings.Repeat("x", 50_000)+`"]`)),
		mean(t, "attachment out of the blue", binaryFrame("abc")),
		mean(t, "placeholder out of range", textFrame(`451-["x",{"_placeholder":true,"num":7}]`), binaryFrame("abc")),
		mean(t, "placeholder below zero", textFrame(`451-["x",{"_placeholder":true,"num":-1}]`), binaryFrame("abc")),
		mean(t, "packet of no type", textFrame(`49["x"]`)),
		mean(t, "connect error of a client", textFrame(`44{"message":"x"}`)),
		mean(t, "disconnect with a payload", textFrame(`41{"x":1}`)),
		denied(t, "unknown namespace", `44/nowhere,{"message":"Invalid namespace"}`, "40/nowhere,"),
		denied(t, "join without right", `437[{"error":"forbidden"`, join("somebody-else's")),
		denied(t, "join of what cannot be logged", `437[{"error":"bad_document"`, join("own-"+evil)),
		denied(t, "join of a long name", `437[{"error":"bad_document"`, join("own-"+strings.Repeat("d", 5000))),
		denied(t, "join of what is no name", `437[{"error":"bad_request"`, `427["sluice:join",{"a":[1,2,3]}]`),
	}
	joins := make([]string, 1000)
	for i := range joins {
		joins[i] = join(fmt.Sprintf("own-%d", i))
	}
	all = append(all, denied(t, "a thousand joins", `437[{"error":"too_many_documents"`, joins...))
	return append(all,
		attack{"more namespaces than a client may have", tooManyNamespaces(authOf(t, "namespaces"))},
		denied(t, "another identity", `44/a,{"message":"Not authorized","data":{"code":"identity"`, "40/a,"+authOf(t, "somebody else")))
}

func tooManyNamespaces(auth string) func(context.Context, *party) error {
	return func(ctx context.Context, p *party) error {
		s, err := p.member(ctx, auth)
		if err != nil {
			return err
		}
		defer func() { _ = s.conn.Close() }() // it goes on until here
		for _, ns := range []string{"40/a,", "40/b,"} {
			if err := s.text(ns + auth); err != nil {
				return err
			}
		}
		return s.expect(`44/b,{"message":"Too many namespaces","data":{"code":"namespaces"`)
	}
}

// packed is a short string in MessagePack.
func packed(s string) string {
	return string([]byte{0xda, byte(len(s) >> 8), byte(len(s))}) + s
}
