package session

import (
	"context"
	"fmt"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

// Get returns one socket, or ErrNotFound. It asks Redis each time.
func (i *Index) Get(ctx context.Context, s id.Socket) (Client, error) {
	found, err := i.GetMany(ctx, []id.Socket{s})
	if err != nil {
		return Client{}, err
	}
	if len(found) == 0 {
		return Client{}, ErrNotFound
	}
	return found[0], nil
}

// GetMany returns those of the sockets that exist and whose replica lives, in
// the order asked for.
func (i *Index) GetMany(ctx context.Context, sockets []id.Socket) (found []Client, err error) {
	stop := i.time("get")
	defer func() { stop(err) }()
	for len(sockets) > 0 {
		page := sockets[:min(len(sockets), i.cfg.Batch)]
		sockets = sockets[len(page):]
		if found, err = i.getPage(ctx, page, found); err != nil {
			return nil, fmt.Errorf("look up sockets: %w", err)
		}
	}
	return found, nil
}

func (i *Index) getPage(ctx context.Context, sockets []id.Socket, found []Client) ([]Client, error) {
	records, err := i.records(ctx, sockets)
	if err != nil {
		return nil, err
	}
	lives := func(n *nodes, c *Client) bool { return n.alive[c.Replica].boot == c.Boot }
	n, err := i.judge(ctx, func(n *nodes) bool {
		for k := range records {
			if records[k].Boot != "" && !lives(n, &records[k]) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	p := i.pipe()
	first := len(found)
	var scores []*redis.FloatCmd
	for k := range records {
		if c := &records[k]; c.Boot != "" && lives(n, c) {
			found = append(found, *c)
			scores = append(scores, p.ZScore(ctx, i.keys.nodeClients(Node{c.Replica, c.Boot}), c.Socket.String()))
		}
	}
	if err := p.exec(ctx); err != nil {
		return nil, err
	}
	for k, score := range scores {
		if score.Err() == nil {
			found[first+k].Seen = scoreTime(score.Val())
		}
	}
	return found, nil
}

// records reads the records of sockets, dead or alive. Where there is none, the
// Client has no Boot.
func (i *Index) records(ctx context.Context, sockets []id.Socket) ([]Client, error) {
	p := i.pipe()
	cmds := make([]*redis.StringStringMapCmd, len(sockets))
	for k, s := range sockets {
		cmds[k] = p.HGetAll(ctx, i.keys.client(s))
	}
	if err := p.exec(ctx); err != nil {
		return nil, err
	}
	records := make([]Client, len(sockets))
	for k, s := range sockets {
		records[k], _ = parseRecord(s, cmds[k].Val())
		records[k].Socket = s
	}
	return records, nil
}
