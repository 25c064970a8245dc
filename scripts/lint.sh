#!/usr/bin/env bash
# The linter with the rules of .golangci.yml; arguments are its own, as --fix.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/tools.sh golangci-lint
"$(scripts/tools.sh path)/golangci-lint" run --allow-parallel-runners "$@" ./... </dev/null
