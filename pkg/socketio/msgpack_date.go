package socketio

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// maxDate is the largest distance from 1970 that a JavaScript Date can hold, in
// milliseconds: 100 million days.
const maxDate = 8_640_000_000_000_000

// noDate stands for a point in time that JavaScript calls an invalid date.
const noDate = math.MaxInt64

// timestamp decodes the three timestamp forms of MessagePack to milliseconds,
// noDate when they are outside of what a Date can hold.
func timestamp(body []byte) (ms int64, ok bool) {
	var sec int64
	var nsec uint32
	switch len(body) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(body))
	case 8:
		v := binary.BigEndian.Uint64(body)
		sec, nsec = int64(v&(1<<34-1)), uint32(v>>34)
	case 12:
		nsec, sec = binary.BigEndian.Uint32(body), int64(binary.BigEndian.Uint64(body[4:]))
	default:
		return 0, false
	}
	if sec > maxDate/1000 || sec < -maxDate/1000 {
		return noDate, true
	}
	ms = sec*1000 + int64(nsec/1e6)
	if ms < 0 && nsec%1e6 != 0 {
		ms++ // a Date drops the fraction towards zero
	}
	return ms, true
}

// appendDate appends what JSON.stringify makes of a Date: ISO 8601 with
// milliseconds in UTC, six digits and a sign for years beyond four digits, null
// for an invalid date.
func appendDate(dst []byte, ms int64) []byte {
	if ms > maxDate || ms < -maxDate {
		return append(dst, "null"...)
	}
	t := time.UnixMilli(ms).UTC()
	dst = append(dst, '"')
	if y := t.Year(); y < 0 || y > 9999 {
		sign := byte('+')
		if y < 0 {
			sign, y = '-', -y
		}
		dst = append(dst, sign)
		for digit := 100_000; digit > y && digit > 1; digit /= 10 {
			dst = append(dst, '0')
		}
		dst = strconv.AppendInt(dst, int64(y), 10)
	} else {
		dst = t.AppendFormat(dst, "2006")
	}
	return append(t.AppendFormat(dst, "-01-02T15:04:05.000Z"), '"')
}
