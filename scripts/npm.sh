#!/usr/bin/env bash
# Installs the Node.js packages of every folder below pkg, or below those that are
# named, that has a package-lock.json: exactly as locked, unless they are there
# already.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
find "${@:-pkg}" -name node_modules -prune -o -name package-lock.json -print | while read -r lock; do
  folder=$(dirname "$lock")
  mark=$folder/node_modules/.installed
  if [[ -e $mark ]] && cmp -s "$lock" "$mark"; then
    continue
  fi
  echo "npm ci in $folder"
  (cd "$folder" && timeout 300 npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null)
  cp "$lock" "$mark"
done
