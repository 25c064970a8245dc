package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/pkg/id"
)

var fullHeaders = Headers{
	Mid: 1 << 61, Socket: 1 << 60, User: "user", Doc: "guid", Event: EventMessage, Operator: OperatorBroadcast, Inner: "leave",
	Locale: "de-CH", AuthType: "jwt", ClientVersion: "1.2.3", ServerVersion: "v2", PushClientID: "comments",
	TraceID: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	Stamps:  []Stamp{{"gateway", time.UnixMicro(1_700_000_000_123_456)}, {"api", time.UnixMicro(1_700_000_000_123_999)}},
}

// encoded are the headers as a consumer gets them.
func encoded(h *Headers) []kafka.Header {
	b := appendHeaders(nil, h)
	number := func() int {
		n, size := binary.Varint(b)
		b = b[size:]
		return int(n)
	}
	text := func() []byte {
		n := number()
		v := b[:n:n]
		b = b[n:]
		return v
	}
	all := make([]kafka.Header, number())
	for i := range all {
		all[i] = kafka.Header{Key: string(text()), Value: text()}
	}
	if len(b) > 0 {
		panic("bytes behind the headers")
	}
	return all
}

func TestHeadersComeBackAsTheyWere(t *testing.T) {
	for _, want := range []Headers{fullHeaders, {}, {Mid: 1}} {
		got, err := decodeHeaders(encoded(&want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	if n := len(encoded(&Headers{})); n != 0 {
		t.Errorf("empty headers are written as %d", n)
	}
}

func TestHeaderNamesAreThoseOfTheContract(t *testing.T) {
	want := map[string]string{
		"X-Mid": id.Message(1 << 61).String(), "X-ID": id.Socket(1 << 60).String(), "X-Uid": "user", "X-Guid": "guid",
		"X-Inner": "leave", "X-Event": "Message", "X-Locale": "de-CH", "X-Operator": "broadcast", "X-Auth-Type": "jwt",
		"X-Client-Version": "1.2.3", "X-Server-Version": "v2", "X-Push-Client-ID": "comments",
		"X-Trace-ID":   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"X-At-gateway": "1700000000123456", "X-At-api": "1700000000123999",
	}
	if got := headersOf(kafka.Message{Headers: encoded(&fullHeaders)}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestUnknownHeadersAreIgnored(t *testing.T) {
	got, err := decodeHeaders([]kafka.Header{
		{Key: "X-Of-Tomorrow", Value: []byte{0xff}}, {Key: "traceparent", Value: []byte("00-of-the-batch")}, {Key: "", Value: nil},
		{Key: "X-At-", Value: []byte("no stage")}, {Key: "X-Event", Value: []byte("Resume")}, {Key: "X-Uid", Value: []byte("u")},
	})
	if want := (Headers{Event: "Resume", User: "u"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHeadersThatCannotBeReadAreAnError(t *testing.T) {
	for _, h := range []kafka.Header{
		{Key: "X-Mid", Value: []byte("12")}, {Key: "X-Mid"}, {Key: "X-ID", Value: []byte(strings.Repeat("z", 13))}, {Key: "X-At-api", Value: []byte("now")},
	} {
		if _, err := decodeHeaders([]kafka.Header{h}); !errors.Is(err, ErrHeaders) || !strings.Contains(err.Error(), h.Key) {
			t.Errorf("%s: %v", h.Key, err)
		}
	}
}

func TestStagesAreStampedOnce(t *testing.T) {
	h := Headers{Stamps: make([]Stamp, 0, 4)}
	at := time.UnixMicro(1)
	h.Stamp("gateway", at)
	copied := h
	h.Stamp("api", at.Add(1))
	h.Stamp("gateway", at.Add(2))
	copied.Stamp("relay", at)
	if want := []Stamp{{"gateway", at}, {"api", at.Add(1)}}; !reflect.DeepEqual(h.Stamps, want) {
		t.Errorf("stamps %v, want %v", h.Stamps, want)
	}
	for i := range 100 {
		h.Stamp(fmt.Sprint("s", i), at)
	}
	got, err := decodeHeaders(encoded(&h))
	if err != nil || len(got.Stamps) != maxStamps {
		t.Errorf("%d stamps were read, %v", len(got.Stamps), err)
	}
}

func FuzzDecodeHeaders(f *testing.F) {
	for _, h := range encoded(&fullHeaders) {
		f.Add(h.Key, h.Value, "X-Later", []byte("x"))
	}
	f.Fuzz(func(t *testing.T, name1 string, value1 []byte, name2 string, value2 []byte) {
		h, err := decodeHeaders([]kafka.Header{{Key: name1, Value: value1}, {Key: name2, Value: value2}})
		if err != nil {
			if !errors.Is(err, ErrHeaders) {
				t.Error(err)
			}
			return
		}
		again, err := decodeHeaders(encoded(&h))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}
