package stream

import (
	"errors"
	"strconv"
	"strings"

	"sluice/pkg/id"
)

// errMessage: somebody published something else on a shard's channel.
var errMessage = errors.New("not a message of a stream")

// parseMessage reads what the append script publishes:
//
//	epoch SP sequence SP mid SP length-of-target SP target body
func parseMessage(shard int, payload string) (Entry, error) {
	epoch, rest, _ := strings.Cut(payload, " ")
	seq, rest, _ := strings.Cut(rest, " ")
	mid, rest, _ := strings.Cut(rest, " ")
	size, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return Entry{}, errMessage
	}
	e := Entry{Shard: shard}
	var errs [5]error
	e.Epoch, errs[0] = strconv.ParseUint(epoch, 10, 64)
	e.Seq, errs[1] = strconv.ParseUint(seq, 10, 64)
	e.Mid, errs[2] = id.ParseMessage(mid)
	n, err := strconv.Atoi(size)
	errs[3] = err
	if err != nil || n < 0 || n > len(rest) {
		return Entry{}, errMessage
	}
	// Cloned, so that who keeps the target does not keep the body.
	e.Target, errs[4] = id.ParseTarget(strings.Clone(rest[:n]))
	for _, err := range errs {
		if err != nil {
			return Entry{}, errMessage
		}
	}
	e.Body = []byte(rest[n:])
	return e, nil
}
