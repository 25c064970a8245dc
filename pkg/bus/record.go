package bus

import (
	"time"

	"sluice/pkg/id"
)

// Event tells what happened to a socket.
type Event string

// The events of a connection.
const (
	EventConnect    Event = "Connect"
	EventMessage    Event = "Message"
	EventDisconnect Event = "Disconnect"
)

// Operator tells how many sockets a record is for.
type Operator string

// The operators. Inner is between gateways: join and leave.
const (
	OperatorUnicast   Operator = "unicast"
	OperatorBroadcast Operator = "broadcast"
	OperatorInner     Operator = "inner"
)

// Stamp is the time at which a record passed a stage. Stage names are short, without
// spaces, and chosen by us, never by a client.
type Stamp struct {
	Stage string
	At    time.Time
}

// Headers is the routing of a record: enough to route, filter and trace it without
// decoding its body. Empty fields are not written. Values from clients must have been
// bounded in length by whoever took them.
type Headers struct {
	Mid           id.Message // message id, the same in every repetition
	Socket        id.Socket
	User          id.User
	Doc           id.Doc
	Event         Event
	Operator      Operator
	Inner         string // gateway-internal: join, leave
	Locale        string
	AuthType      string
	ClientVersion string
	ServerVersion string
	PushClientID  string
	TraceID       string  // W3C traceparent, carried as given
	Trace         []byte  // the same, from who makes one for each record; TraceID goes before
	Stamps        []Stamp // one per stage, in the order passed
}

// Stamp adds the time of a stage. A stage that is stamped twice keeps its first time,
// so that a redelivery does not hide how long the first way took.
func (h *Headers) Stamp(stage string, at time.Time) {
	for _, s := range h.Stamps {
		if s.Stage == stage {
			return
		}
	}
	// Never append in place: a copy of these headers may share the array.
	h.Stamps = append(h.Stamps[:len(h.Stamps):len(h.Stamps)], Stamp{Stage: stage, At: at})
}

// Record is one Kafka record. To produce, set Topic, Key or BySocket, Headers and Body; the other
// fields are what Kafka told about a consumed one.
type Record struct {
	Topic   string
	Key     string // records of one key keep their order; "" has none and goes anywhere
	Headers Headers
	Body    []byte

	// BySocket, when it is to be produced, makes the text of Headers.Socket its key
	// without anybody having to allocate that.
	BySocket bool

	Partition int
	Offset    int64
	HighWater int64     // offset after the partition's last record, as of the fetch
	Time      time.Time // when the producer wrote it
}

// Lag returns how many records of the partition came after this one, as of its fetch.
func (r *Record) Lag() int64 { return max(r.HighWater-r.Offset-1, 0) }
