package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

const notes = `
idle: resident bytes of the server for each idle connection, after a garbage
collection; what the kernel holds for a socket is not in it. connect: CPU of the
server for each session that is opened. The other columns are messages per second
of the server's CPU: about 480 bytes to everybody, one after the other and 8 at
once; with a small event back from each client; 100 bytes from each client.
x is to the bare writes of the same round: for connect less is better, for
messages more. The bare server knows no Socket.IO: it answers the upgrade, and
writes each message to each descriptor alone.

The whole way is ws-gateway with a verified token, a user and a document for each
client, messages pushed over gRPC, and receipts and what clients send written to
Kafka for a component. Only the gateway is counted: ws-api, Kafka, Redis and SQL
are other processes. The others are libraries with a counter behind them;
"transport only" is what to compare them with.
`

// column is a measurement as the table shows it.
type column struct {
	title string
	what  string
	show  func(value, ratio float64, bare bool) string
}

var columns = []column{
	{"idle, B", memory, inBytes},
	{"idle TLS, B", memoryTLS, inBytes},
	{"connect", connects, asCost},
	{"connect TLS", connectsTLS, asCost},
	{"1 at a time", single, asRate},
	{"8 queued", queued, asRate},
	{"with receipts", acked, asRate},
	{"upstream", upstream, asRate},
}

// inBytes shows memory as it is: the least of a bare connection is not what
// others could have.
func inBytes(value, _ float64, _ bool) string { return fmt.Sprintf("%.0f", value) }

// asCost shows CPU, and how many times the bare server's it is.
func asCost(value, ratio float64, bare bool) string {
	if bare {
		return fmt.Sprintf("%.0f us", value)
	}
	return fmt.Sprintf("%.1f x", ratio)
}

// asRate shows messages per second of CPU, and how many for one of the bare
// server.
func asRate(value, ratio float64, bare bool) string {
	if bare {
		return fmt.Sprintf("%.0f k/s", 1e3/value)
	}
	return fmt.Sprintf("%.2f x", 1/ratio)
}

// table is the servers side by side, in Markdown.
func table(rounds []round) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	for _, c := range candidates {
		if rounds[0][c.name] == nil {
			continue
		}
		b.WriteString("| " + c.title + " |")
		for _, col := range columns {
			value, ratio := medians(rounds, c.name, col.what)
			b.WriteString(" " + col.show(value, ratio, c.name == bare) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString(notes)
	return b.String()
}

// medians are those of a figure, and of its ratios to the bare server's in the
// same round.
func medians(rounds []round, name, what string) (value, ratio float64) {
	var values, ratios []float64
	for _, r := range rounds {
		values = append(values, r[name][what])
		ratios = append(ratios, r[name][what]/r[bare][what])
	}
	return median(values), median(ratios)
}

func median(of []float64) float64 {
	slices.Sort(of)
	n := len(of)
	if n == 0 {
		return math.NaN()
	}
	return (of[(n-1)/2] + of[n/2]) / 2
}
