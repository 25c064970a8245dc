#!/usr/bin/env bash
# Generates the Go code of the .proto files beside them (pkg/proto).
#
#   scripts/gen.sh [FOLDER]   writes into FOLDER instead
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/tools.sh" buf protoc-gen-go protoc-gen-go-grpc
bin=$("$root/scripts/tools.sh" path)
out=$(cd "${1:-$root/pkg/proto}" && pwd)
cd "$root/pkg/proto"
PATH=$bin:$PATH timeout 120 "$bin/buf" lint </dev/null
PATH=$bin:$PATH timeout 120 "$bin/buf" generate --output "$out" </dev/null
