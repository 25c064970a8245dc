package bus

import (
	"fmt"

	"sluice/pkg/id"
)

// bodyVersion is written first into every body. A reader refuses a higher one. Adding
// a field does not raise it: readers skip what they do not know. Raise it only when an
// older reader would misunderstand the rest, and only after every replica reads it.
const bodyVersion = 1

// keyVersion holds the version. All keys are at most 31 bytes long.
const keyVersion = "v"

// bodyWriter appends a body: the map header, whose count is filled in at the end, then
// the pairs.
type bodyWriter struct {
	b     []byte
	at    int // of the map header
	pairs int
}

func beginBody(dst []byte) bodyWriter {
	w := bodyWriter{b: append(dst, 0xde, 0, 0), at: len(dst)}
	w.uint(keyVersion, bodyVersion)
	return w
}

func (w *bodyWriter) end() []byte {
	w.b[w.at+1], w.b[w.at+2] = byte(w.pairs>>8), byte(w.pairs)
	return w.b
}

func (w *bodyWriter) key(k string) {
	w.b = appendText(w.b, k)
	w.pairs++
}

func (w *bodyWriter) uint(k string, v uint64) {
	if v != 0 {
		w.key(k)
		w.b = appendUint(w.b, v)
	}
}

func (w *bodyWriter) int(k string, v int64) {
	if v != 0 {
		w.key(k)
		w.b = appendInt(w.b, v)
	}
}

func (w *bodyWriter) flag(k string, v bool) {
	if v {
		w.key(k)
		w.b = appendBool(w.b, v)
	}
}

func (w *bodyWriter) text(k, v string) {
	if v != "" {
		w.key(k)
		w.b = appendText(w.b, v)
	}
}

func (w *bodyWriter) binary(k string, v []byte) {
	if len(v) != 0 {
		w.key(k)
		w.b = appendBinary(w.b, v)
	}
}

func (w *bodyWriter) binaries(k string, v [][]byte) {
	if len(v) != 0 {
		w.key(k)
		w.b = appendArrayHeader(w.b, len(v))
		for _, p := range v {
			w.b = appendBinary(w.b, p)
		}
	}
}

func writeTexts[T ~string](w *bodyWriter, k string, v []T) {
	if len(v) != 0 {
		w.key(k)
		w.b = appendArrayHeader(w.b, len(v))
		for _, s := range v {
			w.b = appendText(w.b, string(s))
		}
	}
}

func (w *bodyWriter) sockets(k string, v []id.Socket) {
	if len(v) != 0 {
		w.key(k)
		w.b = appendArrayHeader(w.b, len(v))
		for _, s := range v {
			w.b = appendUint(w.b, uint64(s))
		}
	}
}

// readBody calls field for every key but the version; field takes the value from r, or
// returns false to have it skipped. Bytes after the body are an error, a repeated key
// is not: the last one counts.
func readBody(b []byte, field func(r *reader, key []byte) bool) error {
	r := reader{b: b}
	for n := r.mapHeader(); n > 0 && r.err == nil; n-- {
		if c := r.peek(); c&0xe0 != 0xa0 {
			r.skip() // no key of ours
			r.skip()
			continue
		}
		key := r.bytes()
		if string(key) == keyVersion {
			if v := r.unsigned(); v > bodyVersion {
				return fmt.Errorf("%w: version %d, this program reads up to %d", ErrBody, v, bodyVersion)
			}
			continue
		}
		if r.err == nil && !field(&r, key) {
			r.skip()
		}
	}
	if r.err != nil {
		return fmt.Errorf("%w: %w", ErrBody, r.err)
	}
	if len(r.b) != 0 {
		return fmt.Errorf("%w: %d bytes follow it", ErrBody, len(r.b))
	}
	return nil
}

// maxReserve bounds what is allocated for an array before its elements are seen.
const maxReserve = 64

func readBinaries(r *reader) [][]byte {
	n := r.arrayHeader()
	if n == 0 {
		return nil
	}
	out := make([][]byte, 0, min(n, maxReserve))
	for ; n > 0 && r.err == nil; n-- {
		out = append(out, r.bytes())
	}
	return out
}

func readTexts[T ~string](r *reader) []T {
	n := r.arrayHeader()
	if n == 0 {
		return nil
	}
	out := make([]T, 0, min(n, maxReserve))
	for ; n > 0 && r.err == nil; n-- {
		out = append(out, T(r.text()))
	}
	return out
}

func readSockets(r *reader) []id.Socket {
	n := r.arrayHeader()
	if n == 0 {
		return nil
	}
	out := make([]id.Socket, 0, min(n, maxReserve))
	for ; n > 0 && r.err == nil; n-- {
		out = append(out, id.Socket(r.unsigned()))
	}
	return out
}
