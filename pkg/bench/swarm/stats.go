package swarm

import (
	"sluice/pkg/bench/tally"
)

// Stats is what clients have done so far. Counters only grow; the histograms
// hold what came since the last Snapshot.
type Stats struct {
	Up         int `json:"up"`         // connected and taking part
	Connecting int `json:"connecting"` // on their way
	Slow       int `json:"slow"`       // connected, and not reading on purpose

	Connects   uint64 `json:"connects"`   // that succeeded
	Connected  int64  `json:"connected"`  // when the last of them did
	Delivered  uint64 `json:"delivered"`  // counted messages, each once
	Duplicates uint64 `json:"duplicates"` // of counted messages
	Late       uint64 `json:"late"`       // came after a younger one
	Foreign    uint64 `json:"foreign"`    // belong to another stream, or have no mark
	Bytes      uint64 `json:"bytes"`      // read, with all framing
	Receipts   uint64 `json:"receipts"`   // sent
	Sent       uint64 `json:"sent"`       // events upstream
	Answered   uint64 `json:"answered"`   // of those, by an ack, each once
	Again      uint64 `json:"again"`      // acks for what had been answered
	Busy       uint64 `json:"busy"`       // events upstream that the server refused with sluice:busy
	Gaps       uint64 `json:"gaps"`       // notices that messages may be missing
	Pings      uint64 `json:"pings"`      // answered
	Left       uint64 `json:"left"`       // of their own accord

	Failures map[string]uint64 `json:"failures,omitempty"` // connects that did not succeed, by reason
	Drops    map[string]uint64 `json:"drops,omitempty"`    // connections that the server ended, by reason
	SlowEnds map[string]uint64 `json:"slow_ends,omitempty"`

	// Balance is that of the sessions that have ended.
	Balance tally.Balance `json:"balance"`

	ConnectTime tally.Histogram `json:"connect_time"` // from SYN to the answered CONNECT
	Latency     tally.Histogram `json:"latency"`      // of counted messages
	Roundtrip   tally.Histogram `json:"roundtrip"`    // of answered events
}

// Add sums up what two groups of clients did.
func (s *Stats) Add(o *Stats) {
	s.Up += o.Up
	s.Connecting += o.Connecting
	s.Slow += o.Slow
	s.Connects += o.Connects
	s.Connected = max(s.Connected, o.Connected)
	s.Delivered += o.Delivered
	s.Duplicates += o.Duplicates
	s.Late += o.Late
	s.Foreign += o.Foreign
	s.Bytes += o.Bytes
	s.Receipts += o.Receipts
	s.Sent += o.Sent
	s.Answered += o.Answered
	s.Again += o.Again
	s.Busy += o.Busy
	s.Gaps += o.Gaps
	s.Pings += o.Pings
	s.Left += o.Left
	s.Failures = addAll(s.Failures, o.Failures)
	s.Drops = addAll(s.Drops, o.Drops)
	s.SlowEnds = addAll(s.SlowEnds, o.SlowEnds)
	s.Balance.Add(o.Balance)
	s.ConnectTime.Merge(&o.ConnectTime)
	s.Latency.Merge(&o.Latency)
	s.Roundtrip.Merge(&o.Roundtrip)
}

func addAll(to, from map[string]uint64) map[string]uint64 {
	for k, v := range from {
		if to == nil {
			to = map[string]uint64{}
		}
		to[k] += v
	}
	return to
}

// take copies the stats for somebody else, and begins new histograms.
func (s *Stats) take() Stats {
	taken := *s
	taken.Failures, taken.Drops, taken.SlowEnds = addAll(nil, s.Failures), addAll(nil, s.Drops), addAll(nil, s.SlowEnds)
	taken.ConnectTime, taken.Latency, taken.Roundtrip = s.ConnectTime.Take(), s.Latency.Take(), s.Roundtrip.Take()
	return taken
}
