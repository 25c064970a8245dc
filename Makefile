# What each target does is in scripts/; CI runs `make test` and nothing else.
.DEFAULT_GOAL := help
.PHONY: help fmt lint test test-embedded bench bench-peers bench-scale bench-readers bench-stock fuzz gen run build clean

FUZZTIME ?= 10s
BENCH ?= .
SOCKETS ?= 2000
ROUNDS ?= 3

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 16

fmt: ## format the Go code and its imports
	scripts/tools.sh golangci-lint
	$$(scripts/tools.sh path)/golangci-lint fmt ./...

lint: ## the linter, with .golangci.yml
	scripts/lint.sh

test: ## everything: checks, tests, and the suites on real MariaDB, Redis and Kafka
	scripts/test.sh all

test-embedded: ## the same without real services
	scripts/test.sh embedded

bench: ## benchmarks; BENCH=regexp picks some
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./pkg/...

bench-peers: ## Sluice beside Socket.IO servers of others; SOCKETS=2000 ROUNDS=3
	scripts/bench-peers.sh -sockets $(SOCKETS) -rounds $(ROUNDS)

bench-scale: ## the article's scenarios, 105,000 sockets over seven gateways
	scripts/scale.sh

bench-readers: ## both ways to read WebSockets, 15,000 sockets each
	scripts/readers.sh

bench-stock: ## Sluice beside Node's socket.io in one run
	scripts/stock.sh

fuzz: ## every fuzz target for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

gen: ## generate the protobuf code, and the table of reasons in CLIENTS.md
	scripts/gen.sh
	go test -count=1 ./pkg/reason -update

run: ## build and start ws-dev: all of it in one process
	scripts/run.sh

build: ## the programs, into bin/
	mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

clean: ## stop the services, remove what was built and installed
	scripts/services.sh reset
	rm -rf bin .run
