package id

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFieldsAreWhereTheLayoutSays(t *testing.T) {
	const millis, replica, seq = 1<<41 - 2, 0xabc, 0x155
	s := Socket(uint64(millis)<<22 | replica<<10 | seq)
	if s.Millis() != millis || s.Replica() != replica {
		t.Errorf("Millis %d Replica %d", s.Millis(), s.Replica())
	}
	m := Message(s)
	if m.Millis() != millis || m.Replica() != replica {
		t.Errorf("message: Millis %d Replica %d", m.Millis(), m.Replica())
	}
	if MaxReplica != 4095 {
		t.Errorf("MaxReplica = %d", MaxReplica)
	}
}

// Stored ids hold the epoch: this test is meant to stop whoever changes it.
func TestEpochNeverChanges(t *testing.T) {
	epoch := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if Epoch != epoch.UnixMilli() || Millis(epoch) != 0 || !Time(0).Equal(epoch) {
		t.Errorf("Epoch = %d, want %d", Epoch, epoch.UnixMilli())
	}
	if y := Time(MaxMillis).UTC().Year(); y != 2093 {
		t.Errorf("the milliseconds end in %d", y)
	}
}

func TestTextIsBase32HexOfTheBytes(t *testing.T) {
	std := base32.HexEncoding.WithPadding(base32.NoPadding)
	for range 10_000 {
		v := rand.Uint64() >> 1 >> rand.IntN(63)
		if v == 0 {
			continue
		}
		want := strings.ToLower(std.EncodeToString(binary.BigEndian.AppendUint64(nil, v)))
		got := Socket(v).String()
		if got != want || len(got) != TextLen {
			t.Fatalf("String of %d = %q, want %q", v, got, want)
		}
		if b := Message(v).Append([]byte("x")); string(b) != "x"+want {
			t.Fatalf("Append of %d = %q", v, b)
		}
		if back, err := ParseSocket(got); err != nil || back != Socket(v) {
			t.Fatalf("ParseSocket(%q) = %d, %v", got, back, err)
		}
		if back, err := ParseMessage(got); err != nil || back != Message(v) {
			t.Fatalf("ParseMessage(%q) = %d, %v", got, back, err)
		}
	}
}

func TestTextsSortAsIdsDo(t *testing.T) {
	ids := make([]Socket, 5_000)
	texts := make([]string, len(ids))
	for i := range ids {
		ids[i] = Socket(rand.Uint64() >> 1 >> rand.IntN(63))
		texts[i] = ids[i].String()
	}
	slices.Sort(ids)
	slices.Sort(texts)
	for i := range ids {
		if ids[i].String() != texts[i] {
			t.Fatalf("at %d: id %s, text %s", i, ids[i], texts[i])
		}
	}
}

func TestParseRefusesEverySpellingButOne(t *testing.T) {
	good := Socket(1<<62 | 12345).String()
	if _, err := ParseSocket(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":          "",
		"short":          good[:12],
		"long":           good + "0",
		"upper case":     strings.ToUpper(good[:12]) + "A",
		"not a digit":    good[:5] + "w" + good[6:],
		"padding":        good[:12] + "=",
		"odd last digit": good[:12] + "1",
		"64 bits":        "g000000000000",
		"zero":           "0000000000000",
		"space":          " " + good[1:],
		"not ascii":      "é" + good[2:],
	} {
		if v, err := ParseSocket(text); !errors.Is(err, ErrSyntax) || v != 0 {
			t.Errorf("%s: ParseSocket(%q) = %d, %v", name, text, v, err)
		}
		if v, err := ParseMessage(text); !errors.Is(err, ErrSyntax) || v != 0 {
			t.Errorf("%s: ParseMessage(%q) = %d, %v", name, text, v, err)
		}
	}
}

func TestTextDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, TextLen)
	text := Socket(1 << 50).String()
	n := testing.AllocsPerRun(1000, func() {
		buf = Socket(1 << 50).Append(buf[:0])
		if _, err := ParseSocket(text); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseSocket(f *testing.F) {
	for _, s := range []string{
		"", "0", Socket(1).String(), Socket(1<<63 - 1).String(), "g000000000000",
		"0000000000001", "vvvvvvvvvvvvv", "0ABCDEFGHIJKL", "0abc\x00efghijkl", "éééééé0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseSocket(s)
		if err != nil {
			if v != 0 || !errors.Is(err, ErrSyntax) {
				t.Errorf("ParseSocket(%q) = %d, %v", s, v, err)
			}
			return
		}
		if v == 0 || v.String() != s {
			t.Errorf("ParseSocket(%q) = %d, which is written %q", s, v, v)
		}
		if v.Millis() < 0 || v.Millis() > MaxMillis || v.Replica() > MaxReplica {
			t.Errorf("%q: Millis %d, Replica %d", s, v.Millis(), v.Replica())
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	buf := make([]byte, 0, TextLen)
	for i := range b.N {
		buf = Socket(i).Append(buf[:0])
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	text := Socket(1<<62 | 12345).String()
	for range b.N {
		if _, err := ParseSocket(text); err != nil {
			b.Fatal(err)
		}
	}
}
