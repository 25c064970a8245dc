package id

import (
	"strconv"
	"time"
)

// Epoch is the zero of id time in Unix milliseconds: 2024-01-01 00:00:00 UTC. The
// 41 bits of milliseconds last from there until September 2093. It is part of the
// form of every stored id and must never change.
const Epoch int64 = 1_704_067_200_000

// MaxReplica is the largest replica number; there are 4,096 of them.
const MaxReplica Replica = 1<<replicaBits - 1

// MaxMillis is the last millisecond that an id can hold.
const MaxMillis int64 = 1<<millisBits - 1

const (
	millisBits  = 41
	replicaBits = 12
	seqBits     = 10

	millisShift = replicaBits + seqBits
	maxSeq      = 1<<seqBits - 1
)

// Socket names one client connection. Logs, Redis, Kafka and the client's own
// socket.id carry it, so it is a name and no secret. Zero means none.
type Socket uint64

// Message names one message for ever, however often it is delivered; consumers
// drop repetitions by it. Zero means none.
type Message uint64

// Replica is the number of one running process, 0 to MaxReplica. Zero is a valid
// number, so whoever may not have one yet must keep that beside it. Numbers are
// recycled: to address a process and not its successor, compare its boot id too.
type Replica uint16

// Millis converts a time to id time, milliseconds since Epoch. It is negative for
// times before Epoch.
func Millis(t time.Time) int64 { return t.UnixMilli() - Epoch }

// Time converts milliseconds since Epoch to a time.
func Time(millis int64) time.Time { return time.UnixMilli(millis + Epoch) }

// String returns the text form: 13 characters, sortable, see the package comment.
// Zero gives 13 zeros, which ParseSocket refuses.
func (s Socket) String() string { return formatText(uint64(s)) }

// Append appends the text form to dst without allocating when dst has room for it.
func (s Socket) Append(dst []byte) []byte { return appendText(dst, uint64(s)) }

// Replica returns the number of the process that holds, or held, the socket.
func (s Socket) Replica() Replica { return replicaOf(uint64(s)) }

// Millis returns the id time at which s was minted. It follows the owner's clock
// only loosely: it may run ahead of it, see Generator.
func (s Socket) Millis() int64 { return int64(s >> millisShift) }

// ParseSocket reads the text form. It accepts exactly what String writes for a
// minted id: no upper case, no other length, not zero. The error wraps ErrSyntax.
func ParseSocket(text string) (Socket, error) {
	v, err := parseText(text)
	return Socket(v), err
}

// String returns the text form, as Socket.String does.
func (m Message) String() string { return formatText(uint64(m)) }

// Append appends the text form to dst without allocating when dst has room for it.
func (m Message) Append(dst []byte) []byte { return appendText(dst, uint64(m)) }

// Replica returns the number of the process that minted the message's id.
func (m Message) Replica() Replica { return replicaOf(uint64(m)) }

// Millis returns the id time at which m was minted, see Socket.Millis.
func (m Message) Millis() int64 { return int64(m >> millisShift) }

// ParseMessage reads the text form as strictly as ParseSocket does.
func ParseMessage(text string) (Message, error) {
	v, err := parseText(text)
	return Message(v), err
}

// String returns the decimal number.
func (r Replica) String() string { return strconv.Itoa(int(r)) }

func replicaOf(v uint64) Replica { return Replica(v>>seqBits) & MaxReplica }
