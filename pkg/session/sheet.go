package session

import (
	"context"
	"strconv"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// sheet is what the commands of a connect are written on. The client library takes
// arguments as values of any kind: a key is two allocations there, a number one, and
// a command three, fifty for one client that connects. Here they are words in one
// buffer, which is used again.
//
//	text   ws:client:0abc 1767326645000000 ...
//	words  [ 0:14 ] [ 14:30 ] ...            what args point to
//	args   "pexpire" word ttl | "zadd" ...   one command behind another
//
// What has grown is left where it was: the words and commands before stay good.
type sheet struct {
	text  []byte
	begun int // where in text the next word begins
	words []word
	args  []any
	first int // of args that belongs to the next command
	used  []*redis.Cmd
	spare []*redis.Cmd
}

// word is an argument. The library writes what marshals itself as it is, and asks
// for the text of a key to find its slot in a cluster.
type word struct{ b []byte }

// MarshalBinary is what is written.
func (w *word) MarshalBinary() ([]byte, error) { return w.b, nil }

func (w *word) String() string { return string(w.b) }

// word ends the word that was appended to text.
func (s *sheet) word() *word {
	end := len(s.text)
	s.words = append(s.words, word{s.text[s.begun:end:end]})
	s.begun = end
	return &s.words[len(s.words)-1]
}

func (s *sheet) string(text string) *word {
	s.text = append(s.text, text...)
	return s.word()
}

func (s *sheet) int(n int64) *word {
	s.text = strconv.AppendInt(s.text, n, 10)
	return s.word()
}

func (s *sheet) socket(n id.Socket) *word {
	s.text = n.Append(s.text)
	return s.word()
}

func (s *sheet) member(n id.Socket, t tag) *word {
	s.text = appendMember(s.text, n, t)
	return s.word()
}

// command makes one of the arguments that were appended to args.
func (s *sheet) command() *redis.Cmd {
	end := len(s.args)
	args := s.args[s.first:end:end]
	s.first = end
	var cmd *redis.Cmd
	if n := len(s.spare); n > 0 {
		cmd, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		cmd = new(redis.Cmd)
	}
	*cmd = *redis.NewCmd(context.Background(), args...)
	s.used = append(s.used, cmd)
	return cmd
}

// Bounds of what a sheet keeps.
const (
	maxKeptText     = 4096
	maxKeptCommands = 32
)

// wipe makes the sheet blank. Nothing that was written on it may be used afterwards.
func (s *sheet) wipe() {
	for _, cmd := range s.used {
		*cmd = redis.Cmd{}
	}
	spare := append(s.spare, s.used...)
	clear(s.used)
	clear(s.args)
	if cap(s.text) > maxKeptText || len(spare) > maxKeptCommands {
		*s = sheet{}
		return
	}
	*s = sheet{text: s.text[:0], words: s.words[:0], args: s.args[:0], used: s.used[:0], spare: spare}
}
