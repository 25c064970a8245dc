#!/usr/bin/env bash
# Prints the kernel's settings that a gateway's machine needs, what they are now,
# and why. It changes nothing.
#
#   scripts/kernel.sh [SOCKETS]   for so many connections on this machine; default 100000
set -euo pipefail

sockets=${1:-100000}
[[ $sockets =~ ^[1-9][0-9]{0,8}$ ]] || {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

missing=0

# want KEY LEAST WHY... says whether a setting of /proc/sys is at least so large.
# Of a setting with several numbers the last one counts.
want() {
  local key=$1 least=$2 now verdict=ok
  shift 2
  local file=/proc/sys/${key//.//}
  if [[ ! -r $file ]]; then
    printf '%-34s %12s  %12s  %-5s %s\n' "$key" '-' "$least" none "$*"
    return
  fi
  now=$(awk '{ print $NF }' "$file")
  # Some are unsigned 64-bit numbers, which bash cannot compare.
  if ! awk -v now="$now" -v least="$least" 'BEGIN { exit !(now + 0 >= least + 0) }'; then
    verdict=LOW
    missing=1
  fi
  printf '%-34s %12.0f  %12.0f  %-5s %s\n' "$key" "$now" "$least" "$verdict" "$*"
}

# TCP memory is counted in pages. An idle connection needs next to none; what
# counts is how many are written to or read from at the same time.
pages=$((sockets * 16384 / $(getconf PAGESIZE)))

echo "for $sockets connections on this machine"
printf '%-34s %12s  %12s  %-5s %s\n' setting now 'at least' '' why
want fs.file-max $((sockets * 11 / 10 + 100000)) "a connection is a file; this bounds the whole machine"
want fs.nr_open $((sockets * 11 / 10 + 10000)) "the most that a process can be allowed; then LimitNOFILE of its unit"
want fs.epoll.max_user_watches $((sockets * 11 / 10 + 10000)) "each idle connection is watched once; without one it is closed as it comes"
want net.core.somaxconn 16384 "connections that wait to be accepted when everybody comes back at once; the listener asks for as many"
want net.ipv4.tcp_max_syn_backlog 16384 "the same, for handshakes that are not finished"
want net.ipv4.tcp_mem "$pages" "pages of all TCP buffers: 16 KB for each connection at the worst; above it the kernel drops"
want net.ipv4.tcp_wmem 131072 "the send buffer may grow to what transport.send_buffer asks for, which Linux doubles"
want net.core.wmem_max 65536 "what transport.send_buffer may ask for"
want net.ipv4.tcp_max_tw_buckets 65536 "closed connections that are remembered; below, old packets may meet new connections"
want net.netfilter.nf_conntrack_max $((sockets * 12 / 10 + 10000)) "where the firewall tracks connections it refuses those above; do without tracking on the client port if you can"

uring=/proc/sys/kernel/io_uring_disabled
[[ ! -r $uring ]] || printf '%-34s %12s  %12s  %-5s %s\n' kernel.io_uring_disabled "$(<"$uring")" '(0)' '' \
  "with 0 pushes leave many in one system call (transport.writer); otherwise one by one, which costs more CPU"
limit=$(ulimit -Hn)
printf '%-34s %12s  %12s  %-5s %s\n' 'ulimit -Hn (this shell)' "$limit" $((sockets * 11 / 10 + 1000)) '' \
  "files of one process; edge.max_conns is nine tenths of it unless set. Spread over several gateways what does not fit"
echo "memory of the kernel is not that of the process: count 4 to 5 KB more for each connection"
exit "$missing"
