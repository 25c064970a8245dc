package api

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"sluice/pkg/id"
)

func TestReplyToComesBackAsItWas(t *testing.T) {
	for _, r := range []replyTo{
		{socket: 1, boot: "b", namespace: "/"},
		{socket: math.MaxInt64, replica: id.MaxReplica, boot: strings.Repeat("b", maxBoot), namespace: "/" + strings.Repeat("n", 254), ackID: math.MaxUint64},
	} {
		got, ok := parseReplyTo(r.String())
		if !ok || got != r {
			t.Errorf("%+v came back as %+v, %v", r, got, ok)
		}
		if len(r.String()) > maxReplyTo {
			t.Errorf("%d bytes", len(r.String()))
		}
	}
}

func TestReplyToWithoutAPlaceToAnswerIsEmpty(t *testing.T) {
	for name, r := range map[string]replyTo{
		"no socket":     {boot: "b", namespace: "/"},
		"no boot":       {socket: 1, namespace: "/"},
		"no namespace":  {socket: 1, boot: "b"},
		"long boot":     {socket: 1, boot: strings.Repeat("b", maxBoot+1), namespace: "/"},
		"bad boot":      {socket: 1, boot: "a\n", namespace: "/"},
		"bad namespace": {socket: 1, boot: "b", namespace: "x"},
		"bad replica":   {socket: 1, boot: "b", namespace: "/", replica: id.MaxReplica + 1},
		"bad socket":    {socket: 1 << 63, boot: "b", namespace: "/"},
	} {
		if s := r.String(); s != "" {
			t.Errorf("%s: %q", name, s)
		}
	}
}

func TestReplyToIsReadStrictly(t *testing.T) {
	good := replyTo{socket: 7, replica: 3, boot: "boot", namespace: "/n", ackID: 9}.String()
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	change := func(f func(b []byte) []byte) string {
		return base64.RawURLEncoding.EncodeToString(f(append([]byte(nil), raw...)))
	}
	for name, s := range map[string]string{
		"empty":              "",
		"padded":             good + "=",
		"standard alphabet":  "+" + good[1:],
		"line end":           good[:4] + "\n" + good[4:],
		"trailing bits":      good[:len(good)-1] + string(good[len(good)-1]+1),
		"too long":           strings.Repeat("A", maxReplyTo+1),
		"other version":      change(func(b []byte) []byte { b[0] = 2; return b }),
		"cut head":           change(func(b []byte) []byte { return b[:replyToHead-1] }),
		"cut boot":           change(func(b []byte) []byte { return b[:replyToHead+2] }),
		"no namespace":       change(func(b []byte) []byte { return b[:replyToHead+4] }),
		"boot eats the rest": change(func(b []byte) []byte { b[replyToHead-1] = 6; return b }),
		"boot beyond":        change(func(b []byte) []byte { b[replyToHead-1] = 255; return b }),
		"no boot":            change(func(b []byte) []byte { b[replyToHead-1] = 0; return b }),
		"socket zero":        change(func(b []byte) []byte { clear(b[1:9]); return b }),
		"socket sign":        change(func(b []byte) []byte { b[1] |= 0x80; return b }),
		"replica too large":  change(func(b []byte) []byte { b[9] = 0x10; return b }),
		"control character":  change(func(b []byte) []byte { b[len(b)-1] = 7; return b }),
		"not UTF-8":          change(func(b []byte) []byte { b[len(b)-1] = 0xff; return b }),
	} {
		if r, ok := parseReplyTo(s); ok && s != good {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

func FuzzReplyTo(f *testing.F) {
	f.Add(replyTo{socket: 7, replica: 3, boot: "boot", namespace: "/n", ackID: 9}.String())
	f.Add(strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := parseReplyTo(s); ok && r.String() != s {
			t.Errorf("%q is read as %+v, which is written %q", s, r, r.String())
		}
	})
}

func TestPageTokensBelongToTheirList(t *testing.T) {
	of := id.DocTarget("d")
	if pageToken(of, "") != "" {
		t.Error("the last page has a token")
	}
	s := pageToken(of, "0:17:abc")
	if cursor, ok := parsePageToken(s, of); !ok || cursor != "0:17:abc" {
		t.Errorf("%q, %v", cursor, ok)
	}
	for name, bad := range map[string]string{"other list": pageToken(id.DocTarget("e"), "c"), "cut": s[:6], "line end": s + "\n",
		"only a hash": base64.RawURLEncoding.EncodeToString(append([]byte{pageTokenVersion}, listHash(of)...)),
		"version":     base64.RawURLEncoding.EncodeToString(append(append([]byte{9}, listHash(of)...), "c"...)),
		"control":     pageToken(of, "a\x00"),
	} {
		if _, ok := parsePageToken(bad, of); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTraceContextsAreCheckedBeforeTheyTravel(t *testing.T) {
	good := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if !isTraceparent(good) {
		t.Error("a good one was refused")
	}
	for _, bad := range []string{"", good[1:], good + "0", strings.ToUpper(good), strings.Replace(good, "-", "_", 1), good[:54] + "\n"} {
		if isTraceparent(bad) {
			t.Errorf("%q was accepted", bad)
		}
	}
}
