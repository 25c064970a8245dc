package session

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"

	"sluice/pkg/id"
)

const (
	// RecentFor is how long a revocation is listed for gateways that were not told.
	RecentFor = 10 * time.Minute
	// maxRecent bounds what one look returns, the latest first.
	maxRecent = 10_000
)

// noted is a revocation in the list of recent ones.
type noted struct {
	User     id.User `json:"user,omitempty"`
	ID       string  `json:"jti,omitempty"`
	AuthType string  `json:"type,omitempty"`
	Before   int64   `json:"before"`
	Until    int64   `json:"until"`
	Reason   string  `json:"reason,omitempty"`
}

// note lists a revocation for those that the mesh does not reach.
func (r *Revocations) note(ctx context.Context, what Revocation) error {
	text, err := json.Marshal(noted{
		User: what.User, ID: what.ID, AuthType: what.AuthType, Reason: what.Reason,
		Before: what.Before.UnixMilli(), Until: what.Until.UnixMilli(),
	})
	if err != nil {
		return err
	}
	now, key := r.now(), r.keys.revocations()
	p := r.redis.Client().Pipeline()
	p.ZAdd(ctx, key, &redis.Z{Score: float64(now.UnixMilli()), Member: text})
	p.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(now.Add(-RecentFor).UnixMilli(), 10))
	p.PExpire(ctx, key, RecentFor)
	_, err = p.Exec(ctx)
	return err
}

// Recent lists the revocations that were made since a time, at most RecentFor
// ago, by the clocks of those who made them. What cannot be read is left out: it
// is of a newer version.
func (r *Revocations) Recent(ctx context.Context, since time.Time) (all []Revocation, err error) {
	stop := r.m.time("revocations")
	defer func() { stop(err) }()
	texts, err := r.redis.Client().ZRevRangeByScore(ctx, r.keys.revocations(), &redis.ZRangeBy{
		Min: strconv.FormatInt(since.UnixMilli(), 10), Max: "+inf", Count: maxRecent,
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list recent revocations: %w", err)
	}
	for _, text := range texts {
		var n noted
		if json.Unmarshal([]byte(text), &n) != nil || (n.User == "") == (n.ID == "") {
			continue
		}
		all = append(all, Revocation{
			RevokedTokens: RevokedTokens{User: n.User, ID: n.ID, AuthType: n.AuthType},
			Before:        time.UnixMilli(n.Before), Until: time.UnixMilli(n.Until), Reason: n.Reason,
		})
	}
	return all, nil
}
