package docs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what clients may say. The page knows them too.
const (
	maxName     = 32   // characters
	maxText     = 1000 // characters
	maxDocument = 64   // bytes
	maxNonce    = 64   // bytes
	maxBlock    = 999  // paragraphs of the page
	maxSlide    = 99
	// Cursors are given in parts of a block's size, and may be beside it.
	minPart, maxPart = -5, 6
)

// refusal is why an event was not followed, as the client is told.
type refusal string

const (
	badRequest   refusal = "bad_request"
	notOpen      refusal = "not_open"      // say docs:open first
	notPresenter refusal = "not_presenter" // somebody else turns the pages
	full         refusal = "full"          // too many people, or documents
)

func (r refusal) Error() string { return string(r) }

// person is how somebody wants to be seen.
type person struct {
	Name string `json:"name"`
	Hue  int    `json:"hue"` // degrees on the color wheel
}

// check tidies the name and refuses what could not be shown.
func (p *person) check() error {
	name, ok := oneLine(p.Name, maxName)
	if !ok || p.Hue < 0 || p.Hue > 360 {
		return badRequest
	}
	p.Name = name
	return nil
}

type openRequest struct {
	Document string `json:"document"`
	person
}

func (r *openRequest) check() error {
	if !validDocument(r.Document) {
		return badRequest
	}
	return r.person.check()
}

// validDocument takes what can stand in a URL as it is.
func validDocument(name string) bool {
	if name == "" || len(name) > maxDocument {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._", c)
	}) < 0
}

// point is a place on the page: pages differ in width, so it is relative to one
// of their paragraphs.
type point struct {
	Block int     `json:"block"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	// At is the sender's clock, of no meaning here: it measures the way back.
	At   float64 `json:"at"`
	Away bool    `json:"away,omitempty"` // the pointer left the page
}

func (p *point) check() error {
	if p.Block < 0 || p.Block > maxBlock || p.X < minPart || p.X > maxPart || p.Y < minPart || p.Y > maxPart {
		return badRequest
	}
	return nil
}

type commentRequest struct {
	Text  string `json:"text"`
	Nonce string `json:"nonce"` // the same when the client tries again
}

func (r *commentRequest) check() error {
	text, ok := printable(r.Text, maxText, "\n\t")
	if !ok || len(r.Nonce) > maxNonce {
		return badRequest
	}
	r.Text = text
	return nil
}

type presentRequest struct {
	On bool `json:"on"`
	slideRequest
}

type slideRequest struct {
	Index int `json:"index"`
}

func (r *slideRequest) check() error {
	if r.Index < 0 || r.Index > maxSlide {
		return badRequest
	}
	return nil
}

func oneLine(s string, most int) (string, bool) { return printable(s, most, "") }

// printable trims a text and tells whether it may be shown to others: not
// empty, not too long, without control characters besides those allowed, and
// without those that turn the direction of the text around them.
func printable(s string, most int, allowed string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "" || utf8.RuneCountInString(s) > most {
		return "", false
	}
	for _, c := range s {
		turns := c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069'
		if turns || unicode.IsControl(c) && !strings.ContainsRune(allowed, c) {
			return "", false
		}
	}
	return s, true
}
