package session

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// part is one caller's part of a shared pipeline: commands of its own, and
// entries of lists, which are written together with those of others. Each
// command uses one key: the keys of a socket are in different slots of a Redis
// Cluster.
//
//	owned by the caller -> run -> queued -> taken -> answered: the caller's again
//	                                 \-> left: its caller did not wait for it
type part struct {
	sheet
	ttl     any // ms; boxed once for all commands
	cmds    []*redis.Cmd
	entries []listing
	bytes   int       // what it adds to a pipeline, roughly
	weight  int       // operations that it counts as
	until   time.Time // the end of its caller's patience; zero: there is none

	state atomic.Uint32
	done  chan error  // has room for the answer
	late  *time.Timer // of a caller whose context has a deadline and cannot be cancelled
}

// listing is a member of a sorted set, and the score to raise it to.
type listing struct {
	key           *word
	score, member *word
	in            *entered // the command that wrote it
}

// The states of a part in a queue.
const (
	partQueued uint32 = iota
	partTaken
	partLeft
)

// parts are kept from one caller to the next: each connect needs two.
var parts = sync.Pool{New: func() any { return &part{done: make(chan error, 1)} }}

func (g *group) part() *part {
	p := parts.Get().(*part)
	p.ttl, p.weight = g.ttl, 1
	return p
}

// free gives the part back. Its commands must not be used afterwards.
func (p *part) free() {
	clear(p.cmds)
	clear(p.entries)
	p.wipe()
	p.cmds, p.entries, p.bytes = p.cmds[:0], p.entries[:0], 0
	p.state.Store(partQueued)
	parts.Put(p)
}

// perCommand is about what the frame of a command needs, beside its arguments.
const perCommand = 24

// add makes a command of what was appended to args.
func (p *part) add() *redis.Cmd {
	cmd := p.command()
	p.cmds = append(p.cmds, cmd)
	p.bytes += perCommand
	for _, arg := range cmd.Args() {
		p.bytes += 8
		switch arg := arg.(type) {
		case string:
			p.bytes += len(arg)
		case *word:
			p.bytes += len(arg.b)
		}
	}
	return cmd
}

func (p *part) do(args ...any) *redis.Cmd {
	p.args = append(p.args, args...)
	return p.add()
}

// enter puts a member into a sorted set, or raises its score, and prolongs the
// set's life.
func (p *part) enter(key, score, member *word) {
	p.entries = append(p.entries, listing{key: key, score: score, member: member})
	p.bytes += 2*perCommand + 2*len(key.b) + len(member.b)
}

func (p *part) expire(key *word) { p.do("pexpire", key, p.ttl) }

// leaveScript removes a member unless it was entered after the version given:
// a late leave must not undo a newer join.
const leaveScript = `local s = redis.call('ZSCORE', KEYS[1], ARGV[1])
if s and tonumber(s) <= tonumber(ARGV[2]) then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0`

func (p *part) leave(key, member string, version int64) {
	p.do("eval", leaveScript, 1, key, member, version)
}

// joinRecordScript notes a join in a record, if the record is there.
const joinRecordScript = `if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local v = redis.call('HGET', KEYS[1], ARGV[1])
if not v or tonumber(v) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1`

func (p *part) joinRecord(key string, d id.Doc, version int64) *redis.Cmd {
	return p.do("eval", joinRecordScript, 1, key, fieldDoc+string(d), version)
}

// leaveRecordScript takes a document out of a record unless it was joined after
// the version given.
const leaveRecordScript = `local v = redis.call('HGET', KEYS[1], ARGV[1])
if v and tonumber(v) <= tonumber(ARGV[2]) then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0`

func (p *part) leaveRecord(key string, d id.Doc, version int64) {
	p.do("eval", leaveRecordScript, 1, key, fieldDoc+string(d), version)
}

// err is the first error of what the part wrote. A key that is not there is none.
func (p *part) err() error {
	for _, cmd := range p.cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
	}
	for n := range p.entries {
		if err := p.entries[n].in.err(); err != nil {
			return err
		}
	}
	return nil
}
