package stream

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-redis/redis/v8"
)

var (
	//go:embed lua/shard.lua
	shardLua string
	//go:embed lua/append.lua
	appendLua string
	//go:embed lua/read.lua
	readLua string
	//go:embed lua/position.lua
	positionLua string
	//go:embed lua/reserve.lua
	reserveLua string
	//go:embed lua/done.lua
	doneLua string
)

var (
	appendScript   = newScript(shardLua + appendLua)
	readScript     = newScript(shardLua + readLua)
	positionScript = newScript(shardLua + positionLua)
	reserveScript  = newScript(reserveLua)
	doneScript     = newScript(doneLua)
)

// script is a Lua script and its name in Redis' cache of scripts.
type script struct{ src, sha string }

func newScript(src string) *script {
	sum := sha1.Sum([]byte(src))
	return &script{src: src, sha: hex.EncodeToString(sum[:])}
}

// run runs the script from the cache, and from its source when Redis does not
// have it, which is so after each restart.
func (s *script) run(ctx context.Context, c redis.Cmdable, keys []string, args ...any) *redis.Cmd {
	cmd := c.EvalSha(ctx, s.sha, keys, args...)
	if isNoScript(cmd.Err()) {
		cmd = c.Eval(ctx, s.src, keys, args...)
	}
	return cmd
}

// isNoScript tells that a script was not in the cache. eredis hands this error
// on as a text, at times with words before it.
func isNoScript(err error) bool {
	return err != nil && strings.Contains(err.Error(), "NOSCRIPT ")
}

// reply reads the array that a script returned. Its first error sticks, so that
// the fields can be read one after the other and checked once.
type reply struct {
	fields []any
	err    error
}

func readReply(v any, atLeast int) *reply {
	fields, ok := v.([]any)
	if !ok || len(fields) < atLeast {
		return &reply{err: fmt.Errorf("unexpected reply of a script: %T of %d fields", v, len(fields))}
	}
	return &reply{fields: fields}
}

func (r *reply) fail(n int) {
	if r.err == nil {
		r.err = fmt.Errorf("unexpected field %d in the reply of a script: %T", n, r.fields[n])
	}
}

func (r *reply) text(n int) string {
	if r.err != nil {
		return ""
	}
	s, ok := r.fields[n].(string)
	if !ok {
		r.fail(n)
	}
	return s
}

func (r *reply) uint(n int) uint64 {
	if r.err != nil {
		return 0
	}
	switch v := r.fields[n].(type) {
	case int64:
		return uint64(v)
	case string:
		u, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			r.fail(n)
		}
		return u
	}
	r.fail(n)
	return 0
}

func (r *reply) list(n int) []any {
	if r.err != nil {
		return nil
	}
	l, ok := r.fields[n].([]any)
	if !ok {
		r.fail(n)
	}
	return l
}
