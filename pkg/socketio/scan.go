package socketio

// scanner walks JSON once without building anything. It is the whole check of a
// payload: RFC 8259 grammar as JSON.parse has it, bounded depth, and, in binary
// packets, placeholders that point at announced attachments.
type scanner struct {
	b           []byte
	depth       int // levels that may still be opened
	attachments int // 0: objects that look like placeholders are ordinary
	used        uint64

	// sizes, when not nil, collects the members of every container in the
	// order in which they open; -1-num for a placeholder, of which whatever
	// it contains is left out.
	sizes []int
}

// document scans one value followed by nothing but white space and gives the
// offset behind the value.
func (s *scanner) document() (end int, err error) {
	end, err = s.value(0)
	if err != nil {
		return 0, err
	}
	if s.space(end) != len(s.b) {
		return 0, ErrJSON
	}
	return end, nil
}

// unused gives a bit for each attachment that was announced and never referred
// to, for the first 64 of them.
func (s *scanner) unused() uint64 {
	if s.attachments <= 0 || s.attachments > 64 {
		return 0
	}
	return ^s.used & (^uint64(0) >> (64 - s.attachments))
}

func (s *scanner) space(i int) int {
	for i < len(s.b) {
		switch s.b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value scans the value that starts at i and gives the offset behind it.
func (s *scanner) value(i int) (int, error) {
	if i >= len(s.b) {
		return 0, ErrJSON
	}
	switch c := s.b[i]; c {
	case '{':
		return s.object(i)
	case '[':
		return s.array(i)
	case '"':
		return scanString(s.b, i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return scanNumber(s.b, i)
	}
}

// open enters a container and gives its place among the sizes.
func (s *scanner) open() (slot int, err error) {
	if s.depth == 0 {
		return 0, ErrDepth
	}
	s.depth--
	if s.sizes != nil {
		s.sizes = append(s.sizes, 0)
	}
	return len(s.sizes) - 1, nil
}

// close leaves a container that had n members.
func (s *scanner) close(slot, n int) {
	s.depth++
	if s.sizes != nil {
		s.sizes[slot] = n
	}
}

func (s *scanner) array(i int) (int, error) {
	slot, err := s.open()
	if err != nil {
		return 0, err
	}
	i = s.space(i + 1)
	if i < len(s.b) && s.b[i] == ']' {
		s.close(slot, 0)
		return i + 1, nil
	}
	for n := 1; ; n++ {
		end, err := s.value(i)
		if err != nil {
			return 0, err
		}
		i = s.space(end)
		if i >= len(s.b) {
			return 0, ErrJSON
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			s.close(slot, n)
			return i + 1, nil
		default:
			return 0, ErrJSON
		}
	}
}

func (s *scanner) object(i int) (int, error) {
	slot, err := s.open()
	if err != nil {
		return 0, err
	}
	i = s.space(i + 1)
	if i < len(s.b) && s.b[i] == '}' {
		s.close(slot, 0)
		return i + 1, nil
	}
	ph := placeholder{num: -1}
	for n := 1; ; n++ {
		key, end, err := s.member(i)
		if err != nil {
			return 0, err
		}
		if s.attachments > 0 {
			ph.note(s.b[i:key], s.b[s.space(s.space(key)+1):end])
		}
		i = s.space(end)
		if i >= len(s.b) {
			return 0, ErrJSON
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			s.close(slot, n)
			return i + 1, s.place(ph, slot)
		default:
			return 0, ErrJSON
		}
	}
}

// member scans `"key" : value` and gives the offsets behind the key and behind
// the value.
func (s *scanner) member(i int) (key, end int, err error) {
	if i >= len(s.b) || s.b[i] != '"' {
		return 0, 0, ErrJSON
	}
	if key, err = scanString(s.b, i); err != nil {
		return 0, 0, err
	}
	i = s.space(key)
	if i >= len(s.b) || s.b[i] != ':' {
		return 0, 0, ErrJSON
	}
	end, err = s.value(s.space(i + 1))
	return key, end, err
}

// place checks a finished object that may have been a placeholder.
func (s *scanner) place(ph placeholder, slot int) error {
	if !ph.is {
		return nil
	}
	if ph.num < 0 || ph.num >= s.attachments {
		return ErrPlaceholder
	}
	if ph.num < 64 {
		s.used |= 1 << ph.num
	}
	if s.sizes != nil {
		s.sizes[slot] = -1 - ph.num
		s.sizes = s.sizes[:slot+1]
	}
	return nil
}

func (s *scanner) literal(i int, word string) (int, error) {
	if len(s.b)-i < len(word) || string(s.b[i:i+len(word)]) != word {
		return 0, ErrJSON
	}
	return i + len(word), nil
}

// scanNumber scans a number and gives the offset behind it.
func scanNumber(b []byte, i int) (int, error) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	default:
		n := digits(b, i)
		if n == i {
			return 0, ErrJSON
		}
		i = n
	}
	if i < len(b) && b[i] == '.' {
		n := digits(b, i+1)
		if n == i+1 {
			return 0, ErrJSON
		}
		i = n
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := digits(b, i)
		if n == i {
			return 0, ErrJSON
		}
		i = n
	}
	return i, nil
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
