#!/usr/bin/env bash
# Measures Sluice and its peers in one run on this machine, and prints them side
# by side. Each peer's version is in scripts/peers, in go.mod or package.json;
# all figures are left in .run/peers/report.json. Arguments are for
# scripts/peers/drive: -sockets 2000 -rounds 3 -only node,plain.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ $(uname) != Linux ]]; then
  echo "the figures come from /proc: this runs on Linux" >&2
  exit 1
fi
for tool in go node npm; do
  command -v "$tool" >/dev/null || {
    echo "$tool is needed" >&2
    exit 1
  }
done

scripts/npm.sh scripts/peers
bin=$PWD/.run/peers
mkdir -p "$bin"
export CGO_ENABLED=0
for peer in bare centrifuge zishang; do
  echo "building $peer"
  (cd "scripts/peers/$peer" && go build -trimpath -o "$bin/peer-$peer" .)
done
echo "building Sluice"
go build -trimpath -o "$bin/peer-plain" ./scripts/peers/plain
go build -trimpath -o "$bin/drive" ./scripts/peers/drive
go build -trimpath -o "$bin/" ./cmd/ws-gateway ./cmd/ws-api
# Whatever ends the run, no key and no log is left behind.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
"$bin/drive" -bin "$bin" -peers scripts/peers -out "$bin/report.json" "$@"
