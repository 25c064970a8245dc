# shellcheck shell=bash disable=SC2154 # dir is set by services.sh
# Starting, finding and stopping one service. Sourced by services.sh.
#
# Each service has a folder $dir/NAME with: pid, port, log, data/.

pid_of() { cat "$dir/$1/pid" 2>/dev/null; }

# alive says whether the process of the pid file runs and is ours: pids are used
# again, so its working directory must be the service's own folder. (A zombie
# has none.)
alive() {
  local pid cwd
  pid=$(pid_of "$1") && [[ -n $pid ]] || return 1
  cwd=$(readlink "/proc/$pid/cwd") || return 1
  [[ $cwd == "$dir/$1" || $cwd == "$dir/$1/"* ]]
}

# launch NAME COMMAND... starts it in its own session, so that neither a closed
# terminal nor the end of the caller's job stops it.
launch() {
  local name=$1
  shift
  mkdir -p "$dir/$name/data"
  (
    cd "$dir/$name" || exit
    exec setsid "$@" </dev/null >>"$dir/$name/log" 2>&1 9>&-
  ) &
  echo $! >"$dir/$name/pid"
}

# within SECONDS NAME COMMAND... repeats the command until it succeeds, the time
# is over or the service has died.
within() {
  local until=$((SECONDS + $1)) name=$2
  shift 2
  while ! "$@" >/dev/null 2>"$dir/$name/last-error"; do
    ((SECONDS < until)) || return 1
    alive "$name" || return 1
    sleep 0.2
  done
}

complain() {
  {
    echo "$1 did not become ready; its last answer and the end of $dir/$1/log:"
    cat "$dir/$1/last-error"
    tail -n 25 "$dir/$1/log"
  } >&2
}

stop() {
  local name=$1 signal=$2 pid i
  alive "$name" || {
    rm -f "$dir/$name/pid"
    return 0
  }
  pid=$(pid_of "$name")
  kill -s "$signal" "$pid"
  for ((i = 0; i < 300; i++)); do
    alive "$name" || break
    sleep 0.1
  done
  if alive "$name"; then
    echo "$name did not stop within 30 s: killing it" >&2
    kill -KILL "$pid"
  fi
  rm -f "$dir/$name/pid"
  echo "$name: stopped"
}

default_port() {
  case $1 in
  mariadb) echo 13306 ;;
  redis) echo 16379 ;;
  kafka) echo 19092 ;;
  esac
}

port_of() { cat "$dir/$1/port"; }

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# pick_port remembers where the service is to listen: what the environment says,
# else its last port, else the default, else the next free one. Kafka needs two
# in a row.
pick_port() {
  local name=$1 asked="SLUICE_${1^^}_PORT" port i
  mkdir -p "$dir/$name"
  if [[ -n ${!asked:-} ]]; then
    port=${!asked}
    if taken "$port"; then
      echo "$name: port $port (from $asked) is taken" >&2
      return 1
    fi
    echo "$port" >"$dir/$name/port"
    return 0
  fi
  port=$(port_of "$name" 2>/dev/null || default_port "$name")
  for ((i = 0; i < 50; i++, port += 2)); do
    if ! taken "$port" && ! { [[ $name == kafka ]] && taken $((port + 1)); }; then
      echo "$port" >"$dir/$name/port"
      return 0
    fi
  done
  echo "$name: no free port found up to $port" >&2
  return 1
}
