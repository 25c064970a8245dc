package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"time"

	"sluice/pkg/bench/launch"
	"sluice/pkg/bench/swarm"
	"sluice/pkg/bench/tally"
)

// assignment is what a worker's clients are.
type assignment struct {
	Group    group            `json:"group"`
	Servers  []netip.AddrPort `json:"servers"`
	Secure   *secureOptions   `json:"secure"`
	Host     string           `json:"host"`
	Path     string           `json:"path"`
	Secret   string           `json:"secret"`
	Clients  ClientsSection   `json:"clients"`
	Streams  int              `json:"streams"`
	OnTheWay time.Duration    `json:"on_the_way"`
	Receipts bool             `json:"receipts"`
	Slow     float64          `json:"slow"`
	Unicast  bool             `json:"unicast"` // each client is a stream of its own
}

// order is what the conductor tells a worker; a line of JSON.
type order struct {
	Op       string          `json:"op"`
	Assign   *assignment     `json:"assign,omitempty"`
	Rate     float64         `json:"rate,omitempty"`
	Share    float64         `json:"share,omitempty"`
	Stream   uint32          `json:"stream,omitempty"`
	Number   uint32          `json:"number,omitempty"`
	At       int64           `json:"at,omitempty"`
	Upstream *swarm.Upstream `json:"upstream,omitempty"`
}

// Orders. Those that announce are not answered, all others are.
const (
	opAssign   = "assign"
	opConnect  = "connect"
	opAnnounce = "announce"
	opFail     = "fail"
	opChurn    = "churn"
	opCut      = "cut"
	opSend     = "send"
	opSnapshot = "snapshot"
	opBalance  = "balance"
	opSockets  = "sockets"
	opFaults   = "faults"
)

// answer is what a worker says to an order.
type answer struct {
	Error    string         `json:"error,omitempty"`
	Stats    *swarm.Stats   `json:"stats,omitempty"`
	Balance  *tally.Balance `json:"balance,omitempty"`
	Sockets  []string       `json:"sockets,omitempty"`
	Faults   []swarm.Fault  `json:"faults,omitempty"`
	Allowed  int            `json:"allowed,omitempty"`
	Resident int64          `json:"resident,omitempty"`
	CPU      float64        `json:"cpu,omitempty"`
}

const (
	eventMessage = "message"
	eventReceipt = "bench:receipt"
	eventUp      = "bench:up"
	eventEcho    = "bench:echo"
)

// documentName is a document's, to clients and components.
func documentName(n uint32) string { return "bench-" + strconv.FormatUint(uint64(n), 10) }

// work is a worker: it does what it reads until its input ends, which it does
// when the conductor is gone.
func work(in io.Reader, out io.Writer) error {
	ignoreSignals()
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	var first order
	if err := decoder.Decode(&first); err != nil {
		return err
	}
	if first.Op != opAssign || first.Assign == nil {
		return fmt.Errorf("worker: %q comes before the assignment", first.Op)
	}
	options := first.Assign.options()
	var err error
	if options.TLS, err = first.Assign.Secure.config(); err != nil {
		return err
	}
	s, err := swarm.New(options)
	if err != nil {
		return err
	}
	if err := encoder.Encode(answerOf(nil)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	err = obey(s, decoder, encoder)
	cancel()
	return errors.Join(err, <-ran)
}

func obey(s *swarm.Swarm, in *json.Decoder, out *json.Encoder) error {
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, answered := do(s, &o)
		if !answered {
			continue
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// do follows one order.
func do(s *swarm.Swarm, o *order) (a answer, answered bool) {
	switch o.Op {
	case opAnnounce:
		return a, s.Announce(o.Stream, o.At) != nil
	case opFail:
		return a, s.Fail(o.Stream, o.Number) != nil
	case opConnect:
		allowed, err := s.Connect(o.Rate, o.Share)
		a = answerOf(err)
		a.Allowed = allowed
		return a, true
	case opChurn:
		return answerOf(s.Churn(o.Rate)), true
	case opCut:
		return answerOf(s.Cut(o.Share)), true
	case opSend:
		return answerOf(s.Send(*o.Upstream)), true
	case opSnapshot:
		stats, err := s.Snapshot()
		a = answerOf(err)
		a.Stats = &stats
		a.Resident, a.CPU, err = usage(os.Getpid())
		if err != nil && a.Error == "" {
			a.Error = err.Error()
		}
		return a, true
	case opSockets:
		ids, err := s.SocketIDs()
		a = answerOf(err)
		a.Sockets = ids
		return a, true
	case opFaults:
		faults, err := s.Faults()
		a = answerOf(err)
		a.Faults = faults
		return a, true
	case opBalance:
		balance, err := s.Balance()
		a = answerOf(err)
		a.Balance = &balance
		return a, true
	}
	return answerOf(fmt.Errorf("worker: unknown order %q", o.Op)), true
}

func answerOf(err error) answer {
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{}
}

// options makes the clients of an assignment.
func (a *assignment) options() swarm.Options {
	o := swarm.Options{
		Servers: a.Servers, Host: a.Host, Path: a.Path, Sources: a.Group.Sources,
		First: a.Group.First, Count: a.Group.Count, Loops: 1, AtOnce: a.Clients.Connecting,
		ConnectTimeout: 30 * time.Second, RetryAfter: time.Second, Settle: a.OnTheWay,
		Event: eventMessage, Streams: a.Streams, Auth: a.auth,
		Slow: uint32(a.Slow*float64(a.Group.Count) + 0.5),
	}
	if a.Unicast {
		o.Stream, o.KeepIDs = func(client uint32) uint32 { return client }, true
	} else if a.Streams > 1 {
		o.Stream = a.Clients.document
	}
	if a.Receipts {
		o.Receipt = eventReceipt
	}
	return o
}

// auth appends the payload of a client's CONNECT.
func (a *assignment) auth(dst []byte, client uint32) []byte {
	begin := len(dst)
	dst = append(dst, '{')
	if a.Secret != "" {
		dst = append(dst, `"token":"`...)
		dst = launch.AppendToken(dst, a.Secret, client, time.Now())
		dst = append(dst, `",`...)
	}
	if a.Clients.Documents > 0 {
		dst = append(dst, `"documents":["`...)
		dst = append(dst, documentName(a.Clients.document(client))...)
		dst = append(dst, `"],`...)
	}
	if len(dst) == begin+1 {
		return dst[:begin]
	}
	dst[len(dst)-1] = '}'
	return dst
}
