#!/usr/bin/env bash
# Builds and starts ws-dev: both services and an example in one process, with
# nothing installed. Arguments are the program's own.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/npm.sh
mkdir -p bin
CGO_ENABLED=0 go build -trimpath -o bin/ws-dev ./cmd/ws-dev
(($#)) || set -- --config=config/ws-dev.toml
exec bin/ws-dev "$@"
