#!/usr/bin/env bash
# Sluice and a stock Socket.IO server, Node's, side by side in one run of
# ws-bench on this machine: one process each holds the clients.
#
#   scripts/stock.sh [flags of ws-bench run] [SCENARIO...]
#
# Without arguments it runs s1, s2 and s3 with 5,000 sockets and a minute of
# load: about 9 minutes. The report is in .run/stock.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v node >/dev/null || {
  echo "node is needed" >&2
  exit 1
}
(($#)) || set -- -sockets 5000 -duration 1m s1 s2 s3
scripts/npm.sh pkg/e2e/clients
bin=$PWD/.run/stock/bin
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/ws-gateway ./cmd/ws-api ./cmd/ws-bench

# It ends with its input, which is this shell's end of a pipe.
coproc stock { exec node --expose-gc pkg/e2e/clients/stock.mjs; }
read -r line <&"${stock[0]}" || {
  echo "the stock server did not start" >&2
  exit 1
}
field() { sed -E "s/.*\"$1\":\"?([^\",}]*).*/\1/" <<<"$line"; }
"$bin/ws-bench" run -manage 1 -stock "$(field url)" -stock-pid "$(field pid)" -stock-metrics "$(field metrics)" -out .run/stock "$@"
