package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"
	"github.com/gotomicro/ego-component/eredis"

	"sluice/pkg/id"
)

// RevokedTokens are the tokens that a revocation is about: those of a user, or
// the one with an id; never both.
type RevokedTokens struct {
	User     id.User
	ID       string // jti
	AuthType string // "" means all
}

// Revocation withdraws tokens.
type Revocation struct {
	RevokedTokens
	Before time.Time // of a user's tokens those that were issued until then
	Until  time.Time // it is remembered so long
	Reason string    // told to the clients
}

// Token is what is known of a token.
type Token struct {
	User     id.User
	ID       string // "" if it has none
	AuthType string
	Issued   int64 // Unix seconds; 0 if it does not tell
}

// RevokedBy are the revocations that can be about a token.
func (t Token) RevokedBy() []RevokedTokens { return t.appendRevokedBy(nil) }

func (t *Token) appendRevokedBy(by []RevokedTokens) []RevokedTokens {
	if t.User != "" {
		by = append(by, RevokedTokens{User: t.User}, RevokedTokens{User: t.User, AuthType: t.AuthType})
	}
	if t.ID != "" {
		by = append(by, RevokedTokens{ID: t.ID}, RevokedTokens{ID: t.ID, AuthType: t.AuthType})
	}
	return by
}

// Before tells whether a revocation with that time, in Unix ms, is about the
// token. One of the same second counts as issued before it, and so does one that
// does not tell: nobody comes back by being vague.
func (t Token) Before(by RevokedTokens, before int64) bool {
	return by.ID != "" || t.Issued*1000 <= before
}

// Covers tells whether a revocation is about the token.
func (r *Revocation) Covers(t Token) bool {
	for _, by := range t.RevokedBy() {
		if by == r.RevokedTokens {
			return t.Before(by, r.Before.UnixMilli())
		}
	}
	return false
}

// Revocations remembers in Redis which tokens were withdrawn. It may be used
// from any number of goroutines.
type Revocations struct {
	redis *eredis.Component
	keys  keys
	now   func() time.Time
	m     *Metrics
	group *group // what Revoked goes through
}

// NewRevocations returns the memory of the cluster whose prefix cfg has.
func NewRevocations(cfg Config, redis *eredis.Component, m *Metrics, now func() time.Time) *Revocations {
	return &Revocations{
		redis: redis, keys: keys{prefix: cfg.Prefix, parts: cfg.Parts}, now: now, m: m, group: newGroup(cfg, redis, m),
	}
}

// Revocations returns the memory of the same cluster. What a connect asks it
// goes with what other connects write to the index.
func (i *Index) Revocations() *Revocations {
	return &Revocations{redis: i.redis, keys: i.keys, now: i.now, m: i.m, group: i.group}
}

// revokeScript keeps the later time, and the longer life. So repeating a
// revocation, or one that overtook another, undoes nothing.
const revokeScript = `local before, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local cur = redis.call('GET', KEYS[1])
if cur then
  before = math.max(before, tonumber(cur))
  life = math.max(life, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], string.format('%.0f', before), 'PX', string.format('%.0f', life))
return 1`

// Remember withdraws tokens for everybody who asks Revoked from now on.
func (r *Revocations) Remember(ctx context.Context, what Revocation) (err error) {
	stop := r.m.time("revoke")
	defer func() { stop(err) }()
	life := what.Until.Sub(r.now()).Milliseconds()
	if life <= 0 {
		return nil // over already
	}
	err = r.redis.Client().Eval(ctx, revokeScript, []string{r.keys.revoked(what.RevokedTokens)}, what.Before.UnixMilli(), life).Err()
	if err == nil {
		err = r.note(ctx, what)
	}
	if err != nil {
		return fmt.Errorf("remember a revocation: %w", err)
	}
	return nil
}

// Revoked tells whether a token was withdrawn.
func (r *Revocations) Revoked(ctx context.Context, t Token) (yes bool, err error) {
	defer r.m.took(opRevoked, time.Now(), &err)
	var few [4]RevokedTokens // on the stack
	by := t.appendRevokedBy(few[:0])
	if len(by) == 0 {
		return false, nil
	}
	p := r.group.part()
	for n := range by {
		p.text = r.keys.appendRevoked(p.text, &by[n])
		p.do("get", p.word())
	}
	if err := r.group.run(ctx, hashOf(string(t.User)+t.ID), p); err != nil {
		return false, fmt.Errorf("look for revocations: %w", err)
	}
	defer p.free()
	for n, cmd := range p.cmds {
		text, err := cmd.Text()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("look for revocations: %w", err)
		}
		before, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return false, fmt.Errorf("look for revocations: %w", err)
		}
		if t.Before(by[n], before) {
			return true, nil
		}
	}
	return false, nil
}
