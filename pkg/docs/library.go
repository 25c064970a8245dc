package docs

import (
	"errors"
	"sync"
	"time"

	"github.com/gotomicro/ego/core/elog"

	"sluice/pkg/component"
)

// maxDocuments bounds the documents in memory. Those without people make room.
const maxDocuments = 1000

// library is all documents, and the answers to the events about them.
type library struct {
	sluice *component.Client
	log    *elog.Component
	now    func() time.Time

	mu   sync.Mutex // guards what follows and the documents; never held over a call
	rev  int64
	docs map[string]*document
	at   map[string]string // socket to the document that it has open
}

func newLibrary(c *component.Client, log *elog.Component) *library {
	return &library{
		sluice: c, log: log, now: time.Now,
		docs: make(map[string]*document), at: make(map[string]string),
	}
}

// nextLocked returns a revision above all before, also above those of a process
// that ran earlier: microseconds, which JavaScript still counts exactly.
func (l *library) nextLocked() int64 {
	l.rev = max(l.rev+1, l.now().UnixMicro())
	return l.rev
}

// enter takes a socket into a document, out of the one it had open before, and
// returns what it is to see. fresh tells that the document was not in memory.
func (l *library) enter(socket, name string, who person) (view documentView, before string, fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docs[name]
	if d == nil {
		if !l.makeRoomLocked() {
			return view, "", false, full
		}
		d, fresh = newDocument(name, l.nextLocked()), true
		l.docs[name] = d
	}
	d.used = l.now()
	if err := d.enter(socket, who, l.nextLocked()); err != nil {
		return view, "", false, err
	}
	if before = l.at[socket]; before == name {
		before = ""
	} else if before != "" {
		l.docs[before].leave(socket, l.nextLocked())
	}
	l.at[socket] = name
	return d.view(socket), before, fresh, nil
}

// makeRoomLocked forgets the document that nobody has looked at for longest.
func (l *library) makeRoomLocked() bool {
	if len(l.docs) < maxDocuments {
		return true
	}
	var oldest *document
	for _, d := range l.docs {
		if len(d.people) == 0 && (oldest == nil || d.used.Before(oldest.used)) {
			oldest = d
		}
	}
	if oldest == nil {
		return false
	}
	delete(l.docs, oldest.name)
	return true
}

// leave takes a socket out of the document that it had open, and returns its
// name.
func (l *library) leave(socket string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := l.at[socket]
	if d := l.docs[name]; d != nil {
		d.used = l.now()
		d.leave(socket, l.nextLocked())
	}
	delete(l.at, socket)
	return name
}

// change does something with the document that a socket has open, and returns
// its name. do is called with the lock held and gets a new revision.
func (l *library) change(socket string, do func(d *document, who person, rev int64) error) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docs[l.at[socket]]
	if d == nil {
		return "", notOpen
	}
	return d.name, do(d, d.people[socket].person, l.nextLocked())
}

// strangers returns those of the sockets that have not said who they are.
func (l *library) strangers(sockets []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var unknown []string
	for _, s := range sockets {
		if l.at[s] == "" {
			unknown = append(unknown, s)
		}
	}
	return unknown
}

// owed is what the members of a document have not been told yet.
type owed struct {
	people *peopleView
	slide  *slideView
}

func (l *library) owed(name string) owed {
	l.mu.Lock()
	defer l.mu.Unlock()
	var o owed
	d := l.docs[name]
	if d == nil {
		return o
	}
	if d.presence.due() {
		v := d.viewPeople()
		o.people = &v
	}
	if d.slides.due() {
		v := d.viewSlide()
		o.slide = &v
	}
	return o
}

// told notes what was pushed. What changed meanwhile is still owed.
func (l *library) told(name string, o owed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docs[name]
	if d == nil {
		return
	}
	if o.people != nil {
		d.presence.told = max(d.presence.told, o.people.Rev)
	}
	if o.slide != nil {
		d.slides.told = max(d.slides.told, o.slide.Rev)
	}
}

// reasonOf returns the refusal in an error, if that is what it is.
func reasonOf(err error) (refusal, bool) {
	var r refusal
	ok := errors.As(err, &r)
	return r, ok
}
