package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

const (
	patience = 60 * time.Second       // for all three together
	pause    = 200 * time.Millisecond // between two tries
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	checks := []struct {
		name, variable string
		ask            func(ctx context.Context, address string) (string, error)
	}{
		{"mariadb", "SLUICE_TEST_MYSQL_DSN", askSQL},
		{"redis", "SLUICE_TEST_REDIS", askRedis},
		{"kafka", "SLUICE_TEST_KAFKA", askKafka},
	}
	code := 0
	for _, c := range checks {
		answer, err := persist(ctx, os.Getenv(c.variable), c.ask)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s (%s): %v\n", c.name, c.variable, err)
			code = 1
			continue
		}
		fmt.Printf("%-7s %s\n", c.name, answer)
	}
	os.Exit(code)
}

// persist asks until there is an answer or ctx ends, and then returns the error
// of the last try, which says more than ctx's.
func persist(ctx context.Context, address string, ask func(context.Context, string) (string, error)) (string, error) {
	if address == "" {
		return "", fmt.Errorf("no address given")
	}
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		answer, err := ask(attempt, address)
		cancel()
		if err == nil {
			return answer, nil
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(pause):
		}
	}
}
