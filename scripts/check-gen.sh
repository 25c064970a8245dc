#!/usr/bin/env bash
# Proves that the committed generated code is what the .proto files say:
# generates into a new folder and compares, in both directions.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/committed" "$scratch/fresh"
"$root/scripts/gen.sh" "$scratch/fresh"
cd "$root/pkg/proto"
find . -name '*.pb.go' -exec cp --parents -t "$scratch/committed" {} +
cd "$scratch"
if ! diff -r -u committed fresh | head -n 40; then
  echo "pkg/proto is not what its .proto files say: run 'make gen' and commit the result" >&2
  exit 1
fi
