package transport

import (
	"bytes"
	"math/rand"
	"testing"
)

// Whatever is written of each chunk, the bytes come out as they went in.
func TestQueueKeepsBytesInOrder(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200 {
		var q queue
		var in, out []byte
		buf := make([]byte, 1000)
		for range 50 {
			for range rng.Intn(5) {
				item := make([]byte, 1+rng.Intn(10)*rng.Intn(200))
				rng.Read(item)
				in = append(in, item...)
				q.push(item)
			}
			if q.head == len(q.items) {
				continue
			}
			chunk := q.chunk(buf)
			if len(chunk) == 0 || len(chunk) > len(buf) {
				t.Fatalf("chunk of %d", len(chunk))
			}
			n := rng.Intn(len(chunk) + 1)
			out = append(out, chunk[:n]...)
			if empty := q.advance(n); empty != (q.bytes == 0) {
				t.Fatalf("empty %v with %d bytes", empty, q.bytes)
			}
		}
		for q.bytes > 0 {
			chunk := q.chunk(buf)
			out = append(out, chunk...)
			q.advance(len(chunk))
		}
		if !bytes.Equal(in, out) {
			t.Fatal("bytes differ")
		}
	}
}

func TestSmallFramesLeaveTogether(t *testing.T) {
	var q queue
	for range 10 {
		q.push([]byte("0123456789"))
	}
	if n := len(q.chunk(make([]byte, chunkSize))); n != 100 {
		t.Errorf("a chunk of %d bytes", n)
	}
}
