package transport

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// document is JSON as components push it.
func document(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`2["comment",`)
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":"c%06d","author":"user-%d","text":"a remark of number %d","at":%d},`, i*7919%1_000_000, i%13, i*i, 1_700_000_000+i*37)
	}
	return b.Bytes()[:n]
}

func TestEncodingIsChosenAsByTheReference(t *testing.T) {
	for header, want := range map[string]encoding{
		"":                            identity,
		"gzip":                        gzipped,
		"GZIP":                        gzipped,
		"deflate":                     deflated,
		"deflate, gzip":               deflated,
		"gzip, deflate, br, zstd":     gzipped,
		"gzip;q=0.5, deflate;q=0.8":   deflated,
		"gzip;q=0, deflate;q=0.5":     deflated,
		"gzip;q=0, deflate;q=0":       identity,
		"*":                           gzipped,
		"*;q=0":                       identity,
		"gzip;q=0, *":                 deflated,
		"*, deflate":                  deflated,
		"br":                          identity,
		"identity":                    identity,
		"gzip;q=x":                    identity,
		"gzip;level=9;q=0.1":          gzipped,
		strings.Repeat(",", 1000):     identity,
		strings.Repeat("gzip,", 1000): gzipped,
	} {
		r := &http.Request{Header: http.Header{}}
		if header != "" {
			r.Header["Accept-Encoding"] = []string{header}
		}
		if got := encodingFor(r); got != want {
			t.Errorf("%.40q: %d, want %d", header, got, want)
		}
	}
}

// inflate undoes a content encoding.
func inflate(t *testing.T, r reply) string {
	t.Helper()
	var in io.Reader = strings.NewReader(r.body)
	var err error
	switch name := r.header.Get("Content-Encoding"); name {
	case "":
	case "gzip":
		in, err = gzip.NewReader(in)
	case "deflate":
		in, err = zlib.NewReader(in)
	default:
		t.Fatalf("encoding %q", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestPollsAreCompressedFromTheThresholdOn(t *testing.T) {
	for _, eio := range []int{3, 4} {
		w := newWorld(t, config(func(c *Config) { c.CORS, c.CORSCredentials, c.Origins = true, true, []string{"*"} }))
		q, c := w.poll(eio)
		for _, row := range []struct {
			size   int
			accept string
			want   string
		}{
			{1023, "gzip", ""}, {1024, "gzip", "gzip"}, {102_400, "gzip", "gzip"},
			{1024, "deflate", "deflate"}, {1024, "br", ""}, {1024, "", ""},
		} {
			head := "4"
			if eio == 3 {
				head = fmt.Sprintf("%d:4", row.size-len("1234:"))
				if row.size > 10_000 {
					head = fmt.Sprintf("%d:4", row.size-len("123456:"))
				}
			}
			text := document(row.size - len(head))
			if err := c.s.Send(NewFrame(text)); err != nil {
				t.Fatal(err)
			}
			headers := []string{"Origin", "http://a.example"}
			if row.accept != "" {
				headers = append(headers, "Accept-Encoding", row.accept)
			} else {
				headers = append(headers, "Accept-Encoding", "identity")
			}
			r := w.ask("GET", q, "", headers...)
			if got := inflate(t, r); got != head+string(text) {
				t.Fatalf("EIO %d, %d bytes for %q: %.80q", eio, row.size, row.accept, got)
			}
			if got := r.header.Get("Content-Encoding"); got != row.want {
				t.Errorf("EIO %d, %d bytes for %q: encoding %q, want %q", eio, row.size, row.accept, got, row.want)
			}
			want := "Origin, Accept-Encoding"
			if row.size < 1024 {
				want = "Origin"
			}
			if got := r.header.Get("Vary"); got != want {
				t.Errorf("EIO %d, %d bytes: Vary %q, want %q", eio, row.size, got, want)
			}
		}
	}
}

func TestCompressionOfPollsCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, config(func(c *Config) { c.CompressPolls = 0 }))
	q, c := w.poll(4)
	c.s.Send(NewFrame(document(5000)))
	if r := w.ask("GET", q, "", "Accept-Encoding", "gzip"); r.header.Get("Content-Encoding") != "" || r.header.Get("Vary") != "" || len(r.body) != 5001 {
		t.Errorf("%v", r.header)
	}
}

func TestSeveralFramesAndScriptsAreCompressed(t *testing.T) {
	w := newWorld(t)
	q, c := w.poll(4)
	text := document(2000)
	c.s.Send(NewFrame(text))
	c.s.Send(NewFrame([]byte("x"), []byte{1, 2}))
	r := w.ask("GET", q, "", "Accept-Encoding", "gzip")
	if got := inflate(t, r); got != "4"+string(text)+"\x1e4x\x1ebAQI=" || r.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%.60q", got)
	}
	c.s.Send(NewFrame(text))
	r = w.ask("GET", q+"&j=7", "", "Accept-Encoding", "deflate")
	if got := inflate(t, r); !strings.HasPrefix(got, `___eio[7]("42[\"comment\",`) || r.header.Get("Content-Encoding") != "deflate" {
		t.Errorf("%.60q", got)
	}
}

func TestAFrameIsCompressedOnceForAllPolls(t *testing.T) {
	f := NewFrame(document(5000))
	first := f.wire(pollV4Gzip)
	if n := testing.AllocsPerRun(100, func() { f.wire(pollV4Gzip) }); n != 0 || &f.wire(pollV4Gzip)[0] != &first[0] {
		t.Errorf("the compressed form is built again, %v allocations", n)
	}
}

// BenchmarkEncode is what compression of a poll's answer costs.
func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 64 << 10} {
		body := document(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = appendEncoded(out[:0], body, gzipped)
			}
			b.ReportMetric(100*float64(len(out))/float64(size), "%size")
		})
	}
}

func FuzzEncodingFor(f *testing.F) {
	for _, s := range []string{"gzip", "gzip;q=0.5, deflate;q=0.8", "*;q=0", "gzip;q=,;,;q=1e9", ",,,;;=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Accept-Encoding": {header}}}
		e := encodingFor(r)
		low := strings.ToLower(header)
		named := map[encoding]string{gzipped: "gzip", deflated: "deflate"}[e]
		if e > deflated || e != identity && !strings.Contains(low, named) && !strings.Contains(low, "*") {
			t.Fatalf("%q: %d", header, e)
		}
	})
}

// What is compressed comes back as it was, in every form.
func TestWhatIsCompressedComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := rng.IntN(3000)
		if rng.IntN(20) == 0 {
			n = 60_000 + rng.IntN(100_000)
		}
		data := document(max(n, 11))[:n]
		switch rng.IntN(3) {
		case 0:
			data = noiseOf(n)
		case 1:
			data = bytes.Repeat([]byte{byte(n)}, n)
		}
		for _, e := range []encoding{gzipped, deflated} {
			r := reply{body: string(appendEncoded(nil, data, e)), header: http.Header{"Content-Encoding": encodingNames[e]}}
			if got := inflate(t, r); got != string(data) {
				t.Fatalf("encoding %d: %d bytes became %d", e, len(data), len(got))
			}
		}
		if _, op, got := readFrame(t, bytes.NewReader(appendPacked(nil, opBinary, data))); op != opBinary || got != string(data) {
			t.Fatalf("message of %d bytes became %d", len(data), len(got))
		}
	}
}
