package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-redis/redis/v8"
)

// askRedis checks the two settings that a Redis of Sluice must have besides
// answering: it never evicts, and it writes down what it was told.
func askRedis(ctx context.Context, address string) (string, error) {
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	for key, want := range map[string]string{"maxmemory-policy": "noeviction", "appendonly": "yes"} {
		got, err := client.ConfigGet(ctx, key).Result()
		if err != nil {
			return "", err
		}
		if len(got) != 2 || got[1] != want {
			return "", fmt.Errorf("%s is %v, want %s", key, got, want)
		}
	}
	if err := client.Eval(ctx, "return redis.call('PING')", nil).Err(); err != nil {
		return "", fmt.Errorf("run a script: %w", err)
	}
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			return strings.TrimSpace(version) + " at " + address, nil
		}
	}
	return "", fmt.Errorf("no redis_version in %q", info)
}
