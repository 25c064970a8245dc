package socketio

// placeholder collects, member by member, whether an object is
// {"_placeholder":true,"num":N}. As in JavaScript, of equal keys the last one
// counts, and further members are allowed.
type placeholder struct {
	is  bool
	num int // -1 when there is none, or not an integer in plain digits
}

// maxPlaceholder is far above any attachment limit; larger numbers need not be
// read to know that they are out of range.
const maxPlaceholder = 1 << 20

// note takes the next member: its key with the quotes, and its value.
func (p *placeholder) note(key, value []byte) {
	switch {
	case keyIs(key, "_placeholder"):
		p.is = string(value) == "true"
	case keyIs(key, "num"):
		p.num = plainInt(value)
	}
}

// plainInt reads 0 or more decimal digits as JSON writes them; -1 otherwise.
func plainInt(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > maxPlaceholder {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// keyIs compares a quoted key, which may be written with escapes, to ASCII text.
func keyIs(quoted []byte, want string) bool {
	raw := quoted[1 : len(quoted)-1]
	if len(raw) < len(want) || len(raw) > 6*len(want) {
		return false // an escape takes at most six bytes a character
	}
	if string(raw) == want {
		return true
	}
	for i := 0; i < len(want); i++ {
		if len(raw) == 0 {
			return false
		}
		r, n := unescape(raw)
		if r != rune(want[i]) {
			return false
		}
		raw = raw[n:]
	}
	return len(raw) == 0
}
