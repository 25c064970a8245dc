package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gotomicro/ego-component/eredis"
	"github.com/gotomicro/ego/core/elog"
)

// openRedis builds EGO's client of a config section.
func openRedis(key string) *eredis.Component {
	openingRedis.Lock()
	defer openingRedis.Unlock()
	return eredis.Load(key).Build()
}

// settleRedis adds to the sections of Redis what is not for the configuration to
// say. It is done before EGO has them: econf.Set does not lock what it changes.
func settleRedis(tree map[string]any) {
	for key, v := range tree {
		section, ok := v.(map[string]any)
		if !ok {
			continue
		}
		if key != "redis" {
			settleRedis(section)
			continue
		}
		section["onFail"] = "error"               // a server that is away would end the process
		section["enableTraceInterceptor"] = false // it would print every command
	}
}

// openingRedis is held while a client is built, which sets go-redis' logger: one
// for all, and ws-dev opens two at the same time.
var openingRedis sync.Mutex

// errEviction says why a Redis is not used.
var errEviction = errors.New(`maxmemory-policy must be noeviction: an evicted key is a lost message (redis.allow_eviction starts all the same)`)

// redisReady waits for the server and looks at what it does when it is full.
func redisReady(ctx context.Context, r *eredis.Component, allowEviction bool, log *elog.Component) error {
	policy, err := evictionPolicy(ctx, r)
	if err != nil {
		return err
	}
	if policy == "noeviction" || policy == "" {
		return nil
	}
	if allowEviction {
		log.Warn("redis evicts keys when it is full", elog.String("policy", policy))
		return nil
	}
	return fmt.Errorf("%w, but is %s", errEviction, policy)
}

// evictionPolicy pings the server and returns its policy; "" when it does not
// tell, as servers that are rented may not.
func evictionPolicy(ctx context.Context, r *eredis.Component) (string, error) {
	if _, err := r.Ping(ctx); err != nil {
		return "", err
	}
	info := r.Client().Info(ctx, "memory").Val() // "" when refused
	for _, line := range strings.Split(info, "\n") {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:"); found {
			return value, nil
		}
	}
	return "", nil
}
