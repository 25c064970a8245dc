package transport

import (
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
)

// encoding is how the body of a poll is compressed.
type encoding uint8

const (
	identity encoding = iota
	gzipped
	deflated // with the zlib frame, as browsers want it
)

var encodingNames = [...][]string{gzipped: {"gzip"}, deflated: {"deflate"}}

// encodingFor chooses among what the client accepts, as the reference does: by
// quality, the exact name before the star, then by the order of the header.
func encodingFor(r *http.Request) encoding {
	header := r.Header["Accept-Encoding"]
	if len(header) == 0 {
		return identity
	}
	text := strings.Join(header, ",")
	best, bestRank := identity, rank{}
	for _, e := range [...]encoding{gzipped, deflated} {
		if k := rankOf(text, encodingNames[e][0]); k.quality > 0 && k.above(bestRank) {
			best, bestRank = e, k
		}
	}
	return best
}

// rank is how much a client wants an encoding.
type rank struct {
	quality float64
	exact   bool // named, not meant by the star
	place   int  // in the header
}

func (k rank) above(o rank) bool {
	switch {
	case k.quality != o.quality:
		return k.quality > o.quality
	case k.exact != o.exact:
		return k.exact
	}
	return k.place < o.place
}

// maxEncodings bounds how much of a header is looked at.
const maxEncodings = 32

// rankOf is what a header says of one encoding; quality 0 when it is not wanted.
func rankOf(header, name string) (k rank) {
	for place := range maxEncodings {
		var field string
		var more bool
		field, header, more = strings.Cut(header, ",")
		word, params, _ := strings.Cut(field, ";")
		word = strings.TrimSpace(word)
		exact := strings.EqualFold(word, name)
		if exact && !k.exact || word == "*" && !k.exact {
			k = rank{quality: qualityOf(params), exact: exact, place: place}
		}
		if !more {
			break
		}
	}
	return k
}

// qualityOf reads ";q=0.5"; what cannot be read is not wanted.
func qualityOf(params string) float64 {
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		if key, value, _ := strings.Cut(strings.TrimSpace(param), "="); strings.EqualFold(key, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}

// appendEncoded appends body as the content encoding wants it.
func appendEncoded(dst, body []byte, e encoding) []byte {
	if e == deflated {
		dst = appendDeflate(append(dst, 0x78, 0x01), body, true)
		return binary.BigEndian.AppendUint32(dst, adler32.Checksum(body))
	}
	dst = appendDeflate(append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255), body, true)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(body))
	return binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
}

// vary says that the answer depends on a header of the request.
func vary(h http.Header, name string) {
	if v := h["Vary"]; len(v) > 0 {
		h["Vary"] = []string{v[0] + ", " + name}
		return
	}
	h["Vary"] = []string{name}
}
