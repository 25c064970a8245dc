package id

import "fmt"

// Kind tells what a Target names. Its value is the letter of the text form.
type Kind uint8

// The kinds of target. The zero Kind is none of them.
const (
	KindAll    Kind = 'a' // every socket
	KindDoc    Kind = 'd' // the members of a document
	KindUser   Kind = 'u' // the sockets of a user
	KindSocket Kind = 's' // one socket
)

// String returns the kind in a word, fit for a metric label: all, doc, user,
// socket or none.
func (k Kind) String() string {
	switch k {
	case KindAll:
		return "all"
	case KindDoc:
		return "doc"
	case KindUser:
		return "user"
	case KindSocket:
		return "socket"
	}
	return "none"
}

// Target is where a message goes. It is comparable, so it serves as a map key. Make
// it with AllTarget, DocTarget, UserTarget, SocketTarget or ParseTarget; the zero
// Target goes nowhere.
type Target struct {
	Kind Kind
	Name string // empty for KindAll, the text form for KindSocket
}

// AllTarget names every socket.
func AllTarget() Target { return Target{Kind: KindAll} }

// DocTarget names the members of a document.
func DocTarget(d Doc) Target { return Target{Kind: KindDoc, Name: string(d)} }

// UserTarget names the sockets of a user.
func UserTarget(u User) Target { return Target{Kind: KindUser, Name: string(u)} }

// SocketTarget names one socket.
func SocketTarget(s Socket) Target { return Target{Kind: KindSocket, Name: s.String()} }

// String returns the kind's letter, a colon and the name: "d:guid", "u:uid",
// "s:0abc…", "a:". The zero Target gives the empty string.
func (t Target) String() string {
	if t == (Target{}) {
		return ""
	}
	return string([]byte{byte(t.Kind), ':'}) + t.Name
}

// Append appends what String returns.
func (t Target) Append(dst []byte) []byte {
	if t == (Target{}) {
		return dst
	}
	return append(append(dst, byte(t.Kind), ':'), t.Name...)
}

// Check tells why t is no target. Use it on targets built from a stranger's fields.
// The error wraps ErrSyntax or ErrName.
func (t Target) Check() error {
	switch t.Kind {
	case KindAll:
		if t.Name != "" {
			return fmt.Errorf("%w: the target of all has a name", ErrSyntax)
		}
		return nil
	case KindDoc:
		return CheckDoc(t.Name)
	case KindUser:
		return CheckUser(t.Name)
	case KindSocket:
		_, err := ParseSocket(t.Name)
		return err
	}
	return fmt.Errorf("%w: unknown kind of target", ErrSyntax)
}

// Socket returns the socket that t names, and false when t is of another kind or
// its name is no socket id.
func (t Target) Socket() (Socket, bool) {
	if t.Kind != KindSocket {
		return 0, false
	}
	s, err := ParseSocket(t.Name)
	return s, err == nil
}

// ParseTarget reads what String writes and checks the name as Check does.
func ParseTarget(s string) (Target, error) {
	if len(s) < 2 || s[1] != ':' {
		return Target{}, fmt.Errorf("%w: a target begins with its kind and a colon", ErrSyntax)
	}
	t := Target{Kind: Kind(s[0]), Name: s[2:]}
	if err := t.Check(); err != nil {
		return Target{}, fmt.Errorf("parse target: %w", err)
	}
	return t, nil
}
