#!/usr/bin/env bash
# The outside systems that the tests run against: MariaDB, Redis and Apache
# Kafka, on loopback, in private folders, without systemd.
#
#   scripts/services.sh up [NAME...]      install what is missing, start, wait until ready
#   scripts/services.sh down [NAME...]    stop what `up` started; the data stays
#   scripts/services.sh kill NAME...      SIGKILL, for tests of failure; `up` brings it back
#   scripts/services.sh reset             down, then remove the data
#   scripts/services.sh status            which run, where; exits 1 unless all do
#   scripts/services.sh env               the SLUICE_TEST_* exports, for eval
#
# NAME is mariadb, redis or kafka. Settings from the environment:
#   SLUICE_SERVICES_DIR   data, logs, pid files     (.run/services)
#   SLUICE_MARIADB_PORT   13306 and so on; where a default is taken by somebody
#   SLUICE_REDIS_PORT     16379 else, the next free one is used and remembered;
#   SLUICE_KAFKA_PORT     19092 a port that is set here must be free
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$root/scripts/services
mkdir -p "${SLUICE_SERVICES_DIR:-$root/.run/services}"
dir=$(cd "${SLUICE_SERVICES_DIR:-$root/.run/services}" && pwd -P)
all=(mariadb redis kafka)

# shellcheck source=scripts/packages.sh
source "$root/scripts/packages.sh"
# shellcheck source=scripts/services/process.sh
source "$here/process.sh"
for name in "${all[@]}"; do
  # shellcheck source=/dev/null
  source "$here/$name.sh"
done

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

chosen() {
  local name
  for name in "$@"; do
    [[ " ${all[*]} " == *" $name "* ]] || {
      echo "no service called $name" >&2
      usage
    }
  done
  if (($#)); then wanted=("$@"); else wanted=("${all[@]}"); fi
}

up() {
  local name started=() begun=$SECONDS
  for name in "${wanted[@]}"; do
    alive "$name" && continue
    "${name}_install"
    started+=("$name")
  done
  # All three start side by side: Kafka alone takes longer than the others together.
  for name in ${started[@]+"${started[@]}"}; do
    pick_port "$name"
    "${name}_start"
  done
  for name in "${wanted[@]}"; do
    "${name}_ready" || {
      complain "$name"
      return 1
    }
  done
  probe
  echo "services are up after $((SECONDS - begun)) s; for the tests: eval \"\$(scripts/services.sh env)\""
}

# probe talks to what runs with the clients that Sluice uses, and makes the topics.
probe() {
  local running=() name
  for name in "${all[@]}"; do
    if alive "$name"; then running+=("$name"); fi
  done
  ((${#running[@]} == ${#all[@]})) || return 0
  mkdir -p "$dir/bin"
  (cd "$root" && timeout 600 go build -o "$dir/bin/probe" ./scripts/probe) </dev/null 9>&-
  (
    eval "$(exports)"
    timeout 90 "$dir/bin/probe" </dev/null 9>&-
  )
  echo "kafka   is Apache Kafka $(kafka_version), KRaft"
}

exports() {
  echo "export SLUICE_TEST_REAL=1"
  echo "export SLUICE_TEST_MYSQL_DSN='sluice:sluice@tcp(127.0.0.1:$(port_of mariadb))/sluice?parseTime=true'"
  echo "export SLUICE_TEST_REDIS=127.0.0.1:$(port_of redis)"
  echo "export SLUICE_TEST_KAFKA=127.0.0.1:$(port_of kafka)"
}

status() {
  local name code=0
  for name in "${all[@]}"; do
    if alive "$name"; then
      echo "$name: pid $(pid_of "$name"), 127.0.0.1:$(port_of "$name"), log $dir/$name/log"
    else
      echo "$name: down"
      code=1
    fi
  done
  return "$code"
}

command=${1:-}
(($#)) && shift
chosen "$@"
# One at a time: two callers of `up` must not start two of each.
exec 9>"$dir/lock"
flock -w 600 9 || {
  echo "another services.sh has been at work on $dir for ten minutes" >&2
  exit 1
}
case $command in
up) up ;;
down) for name in "${wanted[@]}"; do stop "$name" TERM; done ;;
kill)
  (($#)) || usage
  for name in "$@"; do stop "$name" KILL; done
  ;;
reset)
  for name in "${wanted[@]}"; do
    stop "$name" TERM
    rm -rf "${dir:?}/$name"
  done
  ;;
status) status ;;
env)
  status >&2 || {
    echo "no exports: run scripts/services.sh up first" >&2
    exit 1
  }
  exports
  ;;
*) usage ;;
esac
