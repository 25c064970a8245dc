#!/usr/bin/env bash
# The four scenarios of the article with as many sockets as one machine allows,
# over several gateways: s1 and s3 with all of them, s2 with as many as its cores
# can serve while everybody answers, s4 with a quarter of that, because each that
# comes costs as much as many answers. The report says how each was scaled, and
# what the figures come to at half a million.
#
#   scripts/scale.sh [SOCKETS [FEWER [DURATION]]]    default 105000 20000 3m
#
# 105,000 sockets take about 4 GB with the clients, and on two cores s1 takes 3
# minutes and all of it about 20. More arguments are for ws-bench. The report is in
# .run/scale.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
number='^[1-9][0-9]*$'
sockets=${1:-105000} fewer=${2:-20000} duration=${3:-3m}
shift $(($# < 3 ? $# : 3))
[[ $sockets =~ $number && $fewer =~ $number ]] || {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}
# A gateway gives nine tenths of its files to clients; a sixth of that is left
# free. A client process needs as many files as it has clients.
files=$(ulimit -n)
[[ $files == unlimited ]] && files=1000000
each=$((files * 3 / 4))
gateways=$(((sockets + each - 1) / each))
((gateways >= 2)) || gateways=2

bin=$PWD/.run/scale/bin
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/ws-gateway ./cmd/ws-api ./cmd/ws-bench
echo "$gateways gateways of at most $each sockets; s1 and s3 with $sockets, s2 with $fewer, s4 with $((fewer / 4))"
exec "$bin/ws-bench" run -manage "$gateways" -out .run/scale -duration "$duration" "$@" \
  "s1@$sockets" "s2@$fewer" "s3@$sockets" "s4@$((fewer / 4))"
