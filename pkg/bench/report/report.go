package report

import (
	"encoding/json"
	"io"
	"time"

	"sluice/pkg/bench/tally"
)

// Report is all runs of one call of ws-bench.
type Report struct {
	Made    time.Time `json:"made"`
	Machine Machine   `json:"machine"`
	Runs    []Run     `json:"runs"`
}

// Machine is where it ran: server and clients alike, unless a target says
// otherwise.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	System string `json:"system"`
	Go     string `json:"go"`
}

// Run is one scenario on one target.
type Run struct {
	Scenario string   `json:"scenario"`
	Title    string   `json:"title"`
	About    string   `json:"about"`
	Target   string   `json:"target"`
	Variant  string   `json:"variant,omitempty"` // of the target's settings
	Round    int      `json:"round,omitempty"`
	Scale    []string `json:"scale,omitempty"` // how the run differs from the scenario, in sentences
	Notes    []string `json:"notes,omitempty"` // what has to be known of the figures
	Problems []string `json:"problems,omitempty"`
	// Faults are the first of those that the messages' counts are of.
	Faults []Fault `json:"faults,omitempty"`
	// Extrapolated is what the figures come to at the scenario's size.
	Extrapolated []Extrapolation `json:"extrapolated,omitempty"`

	Sockets int `json:"sockets"`
	// PushToAllEvery is in seconds; 0 when nothing was pushed to all.
	PushToAllEvery float64   `json:"push_to_all_every,omitempty"`
	Seconds        float64   `json:"seconds"` // of load
	Connect        Connect   `json:"connect"`
	Memory         Memory    `json:"memory"`
	CPU            CPU       `json:"cpu"`
	Light          Costs     `json:"light"` // before the load, at a lower rate
	Load           Costs     `json:"load"`
	Messages       Messages  `json:"messages"`
	Receipts       Upward    `json:"receipts"`
	Upstream       Upward    `json:"upstream"`
	Coming         Coming    `json:"coming"`
	Clients        Clients   `json:"clients"`
	Servers        []Process `json:"servers,omitempty"`
	Series         []Point   `json:"series"`
}

// Connect is how the clients came.
type Connect struct {
	Seconds  float64           `json:"seconds"` // until all were there
	Rate     float64           `json:"rate"`    // per second, on average
	Peak     float64           `json:"peak"`    // the best second
	Time     Quantiles         `json:"time"`    // from SYN to the answered CONNECT
	Failures map[string]uint64 `json:"failures,omitempty"`
}

// Memory of the server's processes, resident.
type Memory struct {
	Before    int64   `json:"before"`
	Idle      int64   `json:"idle"` // all connected, nothing sent
	Peak      int64   `json:"peak"` // while there was load
	After     int64   `json:"after"`
	PerSocket float64 `json:"per_socket"` // idle, less before
	// First is the memory of the first clients, if not all came together, and
	// PerMore that of each one more: the slope, without what a process needs once.
	First        int64   `json:"first,omitempty"`
	FirstSockets int     `json:"first_sockets,omitempty"`
	PerMore      float64 `json:"per_more"`
	// HeapPerMore is what lives in Go's heap of it, StackPerMore its goroutines'.
	HeapPerMore  float64 `json:"heap_per_more"`
	StackPerMore float64 `json:"stack_per_more"`
	Goroutines   float64 `json:"goroutines"` // in all, while idle
	// Kernel is beside all that; nil where it could not be read.
	Kernel *Kernel `json:"kernel,omitempty"`
}

// Kernel is what the kernel of the machine that ws-bench runs on holds for each
// end of a connection, about: whatever else has happened there is in it.
type Kernel struct {
	PerEnd  float64 `json:"per_end"` // bytes
	Buffers float64 `json:"buffers"` // TCP's, beside that: what is on its way, of whomever
	// Caches are what PerEnd is made of, where the kernel tells one from another.
	Caches map[string]float64 `json:"caches,omitempty"`
	Ends   int64              `json:"ends"` // that came while the clients connected
	// Both tells that the servers are on this machine, so that each connection
	// has two ends here.
	Both bool   `json:"both_ends"`
	From string `json:"from"` // what it was read from
}

// CPU of the server's processes, user and system.
type CPU struct {
	PerConnect  float64 `json:"per_connect_us"`
	PerDelivery float64 `json:"per_delivery_us"` // of all that was done under load
	PerEvent    float64 `json:"per_event_us"`    // the same, per event upstream
	Empty       float64 `json:"empty_cores"`     // before anybody came
	Idle        float64 `json:"idle_cores"`
	Load        float64 `json:"load_cores"`
	GC          float64 `json:"gc_share"` // of what was used under load
}

// Costs is what went on for a while, and what the servers used for it.
type Costs struct {
	Seconds    float64   `json:"seconds"` // with what came after the end of the load
	Lasted     float64   `json:"lasted"`  // of them, load
	Delivered  uint64    `json:"delivered"`
	Events     uint64    `json:"events"`
	Cores      float64   `json:"cores"`
	PerMessage float64   `json:"per_message_us"` // per delivery and event
	GC         float64   `json:"gc_share"`
	Down       Quantiles `json:"down"`      // from push to client
	Roundtrip  Quantiles `json:"roundtrip"` // from an event to its answer
}

// Messages are those that were pushed, and what became of them.
type Messages struct {
	Pushed     uint64    `json:"pushed"`
	Refused    uint64    `json:"refused"` // pushes that ended in an error
	Delivered  uint64    `json:"delivered"`
	Duplicates uint64    `json:"duplicates"`
	Late       uint64    `json:"late"`
	Foreign    uint64    `json:"foreign"`
	Rate       float64   `json:"rate"` // deliveries per second
	Peak       float64   `json:"peak"` // the best second
	Latency    Quantiles `json:"latency"`
	Gaps       uint64    `json:"gaps"`
	Ephemeral  bool      `json:"ephemeral,omitempty"` // what is lost is no problem
	tally.Balance
}

// Fault is what happened to one message on its way to one client.
type Fault struct {
	What   string `json:"what"`   // lost, doubled, late or misdirected
	Client uint32 `json:"client"` // from 0 on, over all workers
	// Message counts from 1 on those to the same document, or to all.
	Message  uint32  `json:"message"`
	Document string  `json:"document,omitempty"` // or socket; "" for all
	At       float64 `json:"at"`                 // when it was pushed, in the seconds of the series
}

// Upward is what clients sent, receipts or events.
type Upward struct {
	Sent       uint64    `json:"sent"`
	Received   uint64    `json:"received"`
	Duplicates uint64    `json:"duplicates"`
	Lost       int64     `json:"lost"`
	Busy       uint64    `json:"busy"` // refused by the server, and told so
	Time       Quantiles `json:"time"`
}

// Coming is who came and went.
type Coming struct {
	Left     uint64            `json:"left"`
	Connects uint64            `json:"connects"` // in all
	Drops    map[string]uint64 `json:"drops,omitempty"`
	SlowEnds map[string]uint64 `json:"slow_ends,omitempty"`
	Slow     int               `json:"slow"`
	// Recovery is how long it took until all were back after a cut.
	Recovery float64 `json:"recovery_seconds,omitempty"`
}

// Clients is what measuring itself cost.
type Clients struct {
	Workers        int     `json:"workers"`
	BytesPerClient float64 `json:"bytes_per_client"`
	PerMessage     float64 `json:"per_message_us"`
	Cores          float64 `json:"cores"`
}

// Process is one of the server's.
type Process struct {
	Name    string             `json:"name"`
	PID     int                `json:"pid,omitempty"`
	Counted bool               `json:"counted"` // in Memory and CPU
	Before  int64              `json:"before"`
	Idle    int64              `json:"idle"`
	Peak    int64              `json:"peak"`
	After   int64              `json:"after"`
	CPU     float64            `json:"cpu_seconds"` // under load
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Point is one second.
type Point struct {
	At        float64   `json:"at"` // seconds from the beginning
	Up        int       `json:"up"`
	Connects  float64   `json:"connects"` // per second
	Delivered float64   `json:"delivered"`
	Received  float64   `json:"received"`
	Latency   Quantiles `json:"latency"`
	Roundtrip Quantiles `json:"roundtrip"`
	Resident  int64     `json:"resident"`
	Cores     float64   `json:"cores"`
	// PerMessage is the server's CPU per delivery and event; 0 when there were none.
	PerMessage float64 `json:"per_message_us"`
	Clients    float64 `json:"client_cores"`
}

// Quantiles of durations in milliseconds.
type Quantiles struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// QuantilesOf reads them off a histogram.
func QuantilesOf(h *tally.Histogram) Quantiles {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Quantiles{
		Count: h.Count(), P50: ms(h.Quantile(.5)), P90: ms(h.Quantile(.9)), P99: ms(h.Quantile(.99)), P999: ms(h.Quantile(.999)), Max: ms(h.Max()),
	}
}

// WriteJSON writes everything.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}
