package auth

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// tokenKey stands for a token of one auth type.
type tokenKey [sha256.Size]byte

func keyOf(authType, token string) tokenKey {
	h := sha256.New()
	h.Write([]byte(authType))
	h.Write([]byte{0})
	h.Write([]byte(token))
	return tokenKey(h.Sum(nil))
}

// answer is what a component said of a token: an identity, or why not.
type answer struct {
	who   Identity
	cause Cause
}

// answers remembers what was said, each until its time; of more than fit, those
// that were not asked for the longest are forgotten.
type answers struct {
	size int

	mu    sync.Mutex // guards what follows
	known map[tokenKey]*list.Element
	order *list.List // of *known, the latest in front
}

type remembered struct {
	key    tokenKey
	answer answer
	until  time.Time
}

func newAnswers(size int) *answers {
	return &answers{size: size, known: make(map[tokenKey]*list.Element), order: list.New()}
}

func (a *answers) get(key tokenKey, now time.Time) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.known[key]
	if e == nil {
		return answer{}, false
	}
	r := e.Value.(*remembered)
	if !now.Before(r.until) {
		a.forgetLocked(e)
		return answer{}, false
	}
	a.order.MoveToFront(e)
	return r.answer, true
}

func (a *answers) put(key tokenKey, said answer, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.known[key]; e != nil {
		a.forgetLocked(e)
	}
	for a.order.Len() >= a.size {
		a.forgetLocked(a.order.Back())
	}
	a.known[key] = a.order.PushFront(&remembered{key: key, answer: said, until: until})
}

func (a *answers) forgetLocked(e *list.Element) {
	delete(a.known, e.Value.(*remembered).key)
	a.order.Remove(e)
}
