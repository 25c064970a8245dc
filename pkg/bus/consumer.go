package bus

import (
	"context"
)

// Consumer is a member of a consumer group on one topic.
type Consumer struct{}

// Run joins the group and hands records to handle until ctx ends; then it waits for
// what is handed out, for Handover at most, commits, leaves and returns nil.
//
// handle may return before it has settled the delivery with Ack or Nack, and may block
// to slow the consumer down. It is called by several goroutines at once, for one key
// never by two. Its context ends when the partition is lost: what is settled later
// counts no more, and the record comes again, here or elsewhere.
//
// Only the part of a partition without unsettled records is committed, so nothing is
// skipped; what lies behind an unsettled record may come twice after a restart.
func (c *Consumer) Run(ctx context.Context, handle func(ctx context.Context, d *Delivery)) error {
	return nil
}

// Lag returns how many records of its partitions are not settled yet, handed out or
// not, as far as the last fetch of each partition tells.
func (c *Consumer) Lag() int64 { return 0 }
