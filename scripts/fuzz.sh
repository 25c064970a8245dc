#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [TIME], 10s each by default.
# What breaks is written to the package's testdata and is a test from then on.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10s}
failed=0
mapfile -t files < <(grep -rlE --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Z]' pkg)
for file in "${files[@]}"; do
  while read -r target; do
    echo "=== $(dirname "$file") $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null || failed=1
  done < <(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file")
done
exit "$failed"
