package bus

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"sluice/pkg/id"
)

var fullUp = Up{
	Namespace: "/docs", Event: "edit", Args: []byte(`[1,{"a":"b"}]`), Attachments: [][]byte{{1, 2}, make([]byte, 70_000), {}},
	HasAck: true, AckID: 12345678901, Docs: []id.Doc{"a", "dök"}, Reason: "client_close", Boot: "b00t", Replica: id.MaxReplica,
}

var fullPush = Push{
	Mid: 1 << 62, Target: id.DocTarget("guid:1"), Namespace: "/", Event: "changed", Args: bytes.Repeat([]byte("x"), 300),
	Attachments: [][]byte{{0}}, Except: []id.Socket{1, math.MaxInt64}, AuthTypes: []string{"jwt", ""},
	MinVersion: "1.0", MaxVersion: "2.0", Locales: []string{"de", "en"}, Component: "comments", WithinMS: 250,
	LatestKey: "cursor:7", Multi: true, Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", SentAt: 1_700_000_000_000,
}

var smallUp = Up{Event: "e", Args: []byte("[]"), Attachments: [][]byte{{1}}, HasAck: true, Docs: []id.Doc{"d"}, Replica: 300}

func encodeUp(t testing.TB, u Up) []byte {
	t.Helper()
	b, err := u.Append([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Fatal("Append overwrites what was there")
	}
	return b[len("before"):]
}

func encodePush(t testing.TB, p Push) []byte {
	t.Helper()
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBodiesComeBackAsTheyWere(t *testing.T) {
	for _, want := range []Up{fullUp, {}, {HasAck: true}, {Args: []byte("[]")}} {
		got, err := DecodeUp(encodeUp(t, want))
		if err != nil || !sameUp(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	for _, want := range []Push{fullPush, {}, {SentAt: -5, WithinMS: math.MinInt64}, {Target: id.AllTarget()}, {Target: id.SocketTarget(9)}} {
		got, err := DecodePush(encodePush(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

// sameUp takes an empty attachment for what it is: no bytes.
func sameUp(a, b Up) bool {
	if len(a.Attachments) != len(b.Attachments) {
		return false
	}
	for i := range a.Attachments {
		if !bytes.Equal(a.Attachments[i], b.Attachments[i]) {
			return false
		}
	}
	a.Attachments, b.Attachments = nil, nil
	return reflect.DeepEqual(a, b)
}

func TestBodiesAreMessagePackOfTheOrdinaryKind(t *testing.T) {
	var m map[string]any
	if err := msgpack.Unmarshal(encodeUp(t, fullUp), &m); err != nil {
		t.Fatal(err)
	}
	if len(m) != 10 || fmt.Sprint(m["v"]) != "1" || m["event"] != "edit" || fmt.Sprint(m["ack"]) != "12345678901" ||
		!bytes.Equal(m["args"].([]byte), fullUp.Args) || fmt.Sprint(m["docs"]) != "[a dök]" {
		t.Errorf("up is %v", m)
	}
	if err := msgpack.Unmarshal(encodePush(t, fullPush), &m); err != nil {
		t.Fatal(err)
	}
	if m["to"] != "d:guid:1" || m["multi"] != true || fmt.Sprint(m["mid"]) != fmt.Sprint(uint64(1)<<62) {
		t.Errorf("push is %v", m)
	}
}

// A body of the next version has fields that this one does not know, of any type.
func TestNewerBodyIsReadWithoutWhatIsNew(t *testing.T) {
	newer := map[string]any{
		"v": 1, "event": "edit", "ns": "/", "args": []byte("[]"),
		"new1": map[string]any{"a": []any{1, -1, 1.5, float32(2), nil, true, "text", []byte("bin"), strings.Repeat("x", 70_000)}},
		"new2": []any{map[int]string{1: "x"}}, "new3": int64(math.MinInt64), "new4": uint64(math.MaxUint64),
		"new5": &msgpack.RawMessage{0xd4, 1, 2}, "new6": &msgpack.RawMessage{0xc7, 3, 1, 1, 2, 3}, "new7": &msgpack.RawMessage{0xd8, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	}
	b, err := msgpack.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeUp(b)
	want := Up{Event: "edit", Namespace: "/", Args: []byte("[]")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if p, err := DecodePush(b); err != nil || p.Event != "edit" {
		t.Errorf("as push: %+v, %v", p, err)
	}
}

// A body of the version before lacks fields, and wrote numbers its own way.
func TestOlderBodyIsReadWithWhatItHas(t *testing.T) {
	b, err := msgpack.Marshal(map[string]any{"v": int64(1), "mid": int64(7), "to": "u:uid", "args": "[1]", "within": uint8(200), "bin": nil})
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodePush(b)
	want := Push{Mid: 7, Target: id.UserTarget("uid"), Args: []byte("[1]"), WithinMS: 200}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestBodyOfAnotherAgeIsRefused(t *testing.T) {
	b, _ := msgpack.Marshal(map[string]any{"v": 2, "event": "edit"})
	if _, err := DecodeUp(b); !errors.Is(err, ErrBody) || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
}

func TestBrokenBodiesAreRefused(t *testing.T) {
	whole := encodePush(t, fullPush)
	for n := range whole {
		if _, err := DecodePush(whole[:n]); !errors.Is(err, ErrBody) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	deep := append([]byte{0x81, 0xa1, 'x'}, bytes.Repeat([]byte{0x91}, 100_000)...)
	for name, b := range map[string][]byte{
		"followed by more":       append(bytes.Clone(whole), 0),
		"not a map":              {0x93, 1, 2, 3},
		"nested without end":     append(deep, 0),
		"a map of four billion":  {0xdf, 0xff, 0xff, 0xff, 0xff},
		"an array of a billion":  {0x81, 0xa3, 'b', 'i', 'n', 0xdd, 0x40, 0, 0, 0},
		"a text of four billion": {0x81, 0xa2, 'n', 's', 0xdb, 0xff, 0xff, 0xff, 0xff},
		"a number for a text":    {0x81, 0xa2, 'n', 's', 1},
		"a text for a number":    {0x81, 0xa3, 'm', 'i', 'd', 0xa1, 'x'},
		"a negative id":          {0x81, 0xa3, 'm', 'i', 'd', 0xff},
		"a target of no kind":    {0x81, 0xa2, 't', 'o', 0xa3, 'z', ':', 'x'},
		"the byte never used":    {0x81, 0xa1, 'x', 0xc1},
	} {
		if _, err := DecodePush(b); !errors.Is(err, ErrBody) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeUp([]byte{0x81, 0xa7, 'r', 'e', 'p', 'l', 'i', 'c', 'a', 0xcd, 0x10, 0}); !errors.Is(err, ErrBody) {
		t.Errorf("a replica beyond the last: %v", err)
	}
}

func TestTargetThatIsNoneIsNotWritten(t *testing.T) {
	p := Push{Target: id.Target{Kind: id.KindDoc}}
	b, err := p.Append([]byte("before"))
	if err == nil || string(b) != "before" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestNumbersAndLengthsAtTheirEdges(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 31, 32, 127, 128, 255, 256, 65_535, 65_536} {
		u := Up{Event: strings.Repeat("e", n), Args: bytes.Repeat([]byte("a"), n), HasAck: true, AckID: uint64(n)}
		for range n {
			u.Docs = append(u.Docs, "d")
		}
		got, err := DecodeUp(encodeUp(t, u))
		if err != nil || got.Event != u.Event || len(got.Args) != n || got.AckID != u.AckID || len(got.Docs) != n {
			t.Errorf("%d: %v", n, err)
		}
	}
	for range 10_000 {
		v := int64(rand.Uint64() >> rand.IntN(64))
		if rand.IntN(2) == 0 {
			v = -v
		}
		got, err := DecodePush(encodePush(t, Push{SentAt: v, Mid: id.Message(v)}))
		if err != nil || got.SentAt != v || got.Mid != id.Message(v) {
			t.Fatalf("%d became %d, %v", v, got.SentAt, err)
		}
	}
}

func TestBodiesAreEncodedWithoutAllocating(t *testing.T) {
	buf := make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(100, func() { _, _ = fullUp.Append(buf) }); n != 0 {
		t.Errorf("an Up: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = fullPush.Append(buf) }); n != 0 {
		t.Errorf("a Push: %v allocations", n)
	}
}

// FuzzDecodeBody looks for panics, and for bodies that change when they are written
// again.
func FuzzDecodeBody(f *testing.F) {
	f.Add(encodeUp(f, smallUp)) // long seeds make the fuzzer crawl
	f.Add(encodePush(f, Push{Mid: 1, Target: id.AllTarget(), Event: "e", Except: []id.Socket{1}, Locales: []string{"de"}, SentAt: -1}))
	f.Add([]byte{0x81, 0xa1, 'x', 0xc7, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := DecodeUp(b); err == nil {
			again, err := DecodeUp(encodeUp(t, u))
			if err != nil || fmt.Sprint(again) != fmt.Sprint(u) {
				t.Errorf("%+v became %+v, %v", u, again, err)
			}
		} else if !errors.Is(err, ErrBody) {
			t.Error(err)
		}
		if p, err := DecodePush(b); err == nil {
			again, err := DecodePush(encodePush(t, p))
			if err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
				t.Errorf("%+v became %+v, %v", p, again, err)
			}
		}
	})
}

// FuzzSkip compares what is skipped with what a library skips.
func FuzzSkip(f *testing.F) {
	f.Add(encodeUp(f, smallUp))
	f.Add([]byte{0xc7, 3, 1, 1, 2, 3})
	f.Add([]byte{0x92, 0xcb, 1, 2, 3, 4, 5, 6, 7, 8, 0xc0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{b: b}
		r.skip()
		if r.err != nil {
			return // the library would allocate what a broken value claims
		}
		lib := bytes.NewReader(b)
		if err := msgpack.NewDecoder(lib).Skip(); err != nil {
			t.Errorf("skipped what the library does not: %v", err)
		} else if len(r.b) != lib.Len() {
			t.Errorf("skipped all but %d bytes, the library all but %d", len(r.b), lib.Len())
		}
	})
}
