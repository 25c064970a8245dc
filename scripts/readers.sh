#!/usr/bin/env bash
# The two ways to read WebSockets side by side in one run on this machine: memory
# of each connection, CPU of each message, and the latency up and down of a
# gateway that has little and then much to do. The gateways take turns, so that
# what else happens on the machine meets both.
#
#   scripts/readers.sh            15,000 sockets, two rounds: about 6 minutes
#   scripts/readers.sh --quick    2,000 sockets, one round: about 2 minutes
#
# More arguments are for ws-bench, as -sockets 10000 -rounds 3. The report is in
# .run/readers: compared.md is the table, report.json has every figure.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=(-sockets 15000 -rounds 2)
if [[ ${1-} == --quick ]]; then
  shift
  size=(-sockets 2000 -rounds 1 -duration 6s)
fi
bin=$PWD/.run/readers/bin
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/ws-gateway ./cmd/ws-api ./cmd/ws-bench
exec "$bin/ws-bench" run -manage 1 -compare transport.reader=goroutine,reactor -out .run/readers "${size[@]}" "$@" readers
