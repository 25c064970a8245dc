package docs

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Bounds of what is kept of one document.
const (
	maxPeople   = 500
	maxListed   = 50  // people by name in a presence event; of the others only the number
	maxComments = 100 // the last ones
)

// document is what is known of one document. It does no I/O and has no lock:
// its library's guards it.
type document struct {
	name     string
	people   map[string]*presence // by socket
	entered  int                  // how many ever came, to list them in order
	comments []comment            // at most maxComments, oldest first
	slide    int
	// presenter is the socket that turns the pages; "" for nobody. It is always
	// one of people.
	presenter string
	used      time.Time

	// What members are told: a fact whose rev is above told is owed to them.
	presence, slides fact
}

type presence struct {
	person
	socket string
	order  int
}

// fact is a part of the state that is pushed whole.
type fact struct{ rev, told int64 }

func (f *fact) due() bool { return f.told < f.rev }

// comment is what members get and what is kept; At is in Unix milliseconds.
type comment struct {
	ID   string `json:"id"` // of the event that brought it first
	From string `json:"from"`
	Hue  int    `json:"hue"`
	Text string `json:"text"`
	At   int64  `json:"at"`
	// Nonce is the client's own, by which it knows its comment again.
	Nonce string `json:"nonce,omitempty"`
}

func newDocument(name string, rev int64) *document {
	return &document{
		name: name, people: make(map[string]*presence),
		presence: fact{rev: rev, told: rev}, slides: fact{rev: rev, told: rev},
	}
}

// enter makes a socket one of the people, or gives it another name.
func (d *document) enter(socket string, who person, rev int64) error {
	if p := d.people[socket]; p != nil {
		if p.person == who {
			return nil
		}
		p.person = who
		if d.presenter == socket {
			d.slides.rev = rev
		}
	} else {
		if len(d.people) >= maxPeople {
			return full
		}
		d.entered++
		d.people[socket] = &presence{person: who, socket: socket, order: d.entered}
	}
	d.presence.rev = rev
	return nil
}

// leave takes a socket away, and with the presenter the presentation.
func (d *document) leave(socket string, rev int64) {
	if d.people[socket] == nil {
		return
	}
	delete(d.people, socket)
	d.presence.rev = rev
	if d.presenter == socket {
		d.presenter = ""
		d.slides.rev = rev
	}
}

// say keeps a comment, once: for an event, or a client's second try, that was
// here before it returns the comment of then.
func (d *document) say(c comment) comment {
	same := func(old comment) bool { return old.ID == c.ID || c.Nonce != "" && old.Nonce == c.Nonce }
	if i := slices.IndexFunc(d.comments, same); i >= 0 {
		return d.comments[i]
	}
	if len(d.comments) >= maxComments {
		d.comments = slices.Delete(d.comments, 0, len(d.comments)-maxComments+1)
	}
	d.comments = append(d.comments, c)
	return c
}

// present begins or ends a presentation. Whoever begins takes over from the
// presenter before; to end one that is another's changes nothing.
func (d *document) present(socket string, on bool, index int, rev int64) {
	switch {
	case on && (d.presenter != socket || d.slide != index):
		d.presenter, d.slide = socket, index
	case !on && d.presenter == socket:
		d.presenter = ""
	default:
		return
	}
	d.slides.rev = rev
}

// turn shows another slide to everybody.
func (d *document) turn(socket string, index int, rev int64) error {
	if d.presenter != socket {
		return notPresenter
	}
	if d.slide != index {
		d.slide = index
		d.slides.rev = rev
	}
	return nil
}

// The state as members see it.
type (
	peopleView struct {
		Rev    int64       `json:"rev"`
		Count  int         `json:"count"`
		People []onePerson `json:"people"` // in the order they came, at most maxListed
	}
	onePerson struct {
		Socket string `json:"socket"`
		person
	}
	slideView struct {
		Rev       int64  `json:"rev"`
		Index     int    `json:"index"`
		Presenter string `json:"presenter"` // a socket; empty for nobody
		Name      string `json:"name"`
	}
	// documentView answers docs:open.
	documentView struct {
		Document string     `json:"document"`
		Socket   string     `json:"socket"`
		People   peopleView `json:"people"`
		Comments []comment  `json:"comments"`
		Slide    slideView  `json:"slide"`
	}
)

func (d *document) viewPeople() peopleView {
	v := peopleView{Rev: d.presence.rev, Count: len(d.people), People: []onePerson{}}
	for _, p := range slices.SortedFunc(maps.Values(d.people), func(a, b *presence) int { return cmp.Compare(a.order, b.order) }) {
		if len(v.People) == maxListed {
			break
		}
		v.People = append(v.People, onePerson{Socket: p.socket, person: p.person})
	}
	return v
}

func (d *document) viewSlide() slideView {
	v := slideView{Rev: d.slides.rev, Index: d.slide, Presenter: d.presenter}
	if p := d.people[d.presenter]; p != nil {
		v.Name = p.Name
	}
	return v
}

func (d *document) view(socket string) documentView {
	return documentView{
		Document: d.name, Socket: socket, People: d.viewPeople(),
		Comments: append([]comment{}, d.comments...), Slide: d.viewSlide(),
	}
}
