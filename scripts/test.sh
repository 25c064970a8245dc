#!/usr/bin/env bash
# Everything that says whether the code is good, one stage after the other.
#
#   scripts/test.sh all        the checks, the tests, and the suites again on real services
#   scripts/test.sh embedded   without real services: nothing but Go and Node.js is needed
#
# A stage that fails does not stop the next; the end tells each one's time and
# the exit code is 1 if any failed. Without real services `all` fails: tests that
# were not run are not tests that passed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
source scripts/packages.sh
# shellcheck disable=SC2317 # the stages' functions are called by stage

mode=${1:-all}
[[ $mode == all || $mode == embedded ]] || {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

summary=()
failed=0
begun=$SECONDS

# stage NAME COMMAND... runs it and keeps its time and its end.
stage() {
  local name=$1 from=$SECONDS result=ok
  shift
  printf '\n=== %s\n' "$name"
  # A shell of its own: set -e stops it at the first error, which a function
  # called in a condition would not.
  set +e
  (
    set -e
    "$@"
  ) </dev/null
  local status=$?
  set -e
  if ((status != 0)); then
    result="FAILED ($status)"
    failed=1
  fi
  summary+=("$(printf '%-32s %5d s  %s' "$name" $((SECONDS - from)) "$result")")
  return 0
}

needs() {
  command -v go >/dev/null || {
    echo "Go is needed: the version that go.mod names, or a later one" >&2
    return 1
  }
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "Node.js and npm are needed: the end-to-end tests drive real Socket.IO clients" >&2
    return 1
  fi
  # The race detector is linked by a C compiler.
  if ! command -v cc >/dev/null && ! command -v gcc >/dev/null; then
    need_packages gcc libc6-dev
  fi
  go version
  echo "Node.js $(node --version), $(nproc) cores"
}

# formatted says which files gofmt would change.
formatted() {
  local files
  files=$(find . -name '.?*' -prune -o -name node_modules -prune -o -name '*.go' -exec gofmt -l {} +)
  [[ -z $files ]] || {
    printf 'not as gofmt writes them (make fmt does it):\n%s\n' "$files" >&2
    return 1
  }
}

scripts_parse() {
  local file
  for file in scripts/*.sh scripts/*/*.sh .ci/run; do
    bash -n "$file"
  done
}

lint() { scripts/lint.sh; }

# real_packages are those whose tests know the real services.
real_packages() {
  grep -rlE --include='*_test.go' --exclude-dir=node_modules 'SLUICE_TEST_(REAL|MYSQL_DSN|REDIS|KAFKA)|redistest[.]Kinds' cmd pkg migrations 2>/dev/null |
    xargs -r -n 1 dirname | sort -u | sed 's:^:./:'
}

on_real() {
  local exports packages
  exports=$(scripts/services.sh env 2>/dev/null) || {
    echo "the real services are not up, so their suites were not run; make test-embedded is the way to go without" >&2
    return 1
  }
  eval "$exports"
  mapfile -t packages < <(real_packages)
  ((${#packages[@]})) || {
    echo "no test reads SLUICE_TEST_REAL: there is nothing to run on the real services" >&2
    return 1
  }
  echo "${packages[*]}"
  local status=0 inner
  mapfile -t inner < <(printf '%s\n' "${packages[@]}" | grep -v '^./pkg/e2e$')
  go test -race -p 1 -count=1 -timeout 10m "${inner[@]}" || status=1
  # Of the end-to-end tests only those that start services of their own choice
  # would be other than before.
  local names
  names=$(grep -lE 'newBacking\(|newCluster(Of)?\(|newEchoCluster\(' pkg/e2e/*_test.go |
    xargs sed -nE 's/^func (Test[A-Za-z0-9]+)\(.*/\1/p' | grep -v '^TestMain$' | paste -sd '|')
  go test -race -count=1 -timeout 15m -run "^($names)\$" ./pkg/e2e || status=1
  return "$status"
}

ours=''
leave() {
  # Data too: the next run is to begin with nothing, as this one did.
  if [[ -n $ours ]]; then scripts/services.sh reset </dev/null; fi
}
trap leave EXIT

stage 'needs' needs
((!failed)) || exit 1
# Embedded means embedded, whatever the caller's shell has exported.
unset SLUICE_TEST_REAL SLUICE_TEST_MYSQL_DSN SLUICE_TEST_REDIS SLUICE_TEST_KAFKA
stage 'node modules' scripts/npm.sh
stage 'gofmt, bash -n' eval 'formatted; scripts_parse'
stage 'go vet' go vet ./...
stage 'generated code is fresh' scripts/check-gen.sh
stage 'lint' lint
# Without the race detector too: it changes what is allocated and how long things take.
# The end-to-end tests drive programs and clients of their own, which the race
# detector does not see, and which want the machine for themselves.
mapfile -t inner < <(go list ./... | grep -v '/pkg/e2e$')
stage 'go test' go test -count=1 -timeout 10m "${inner[@]}"
stage 'go test -race' go test -race -count=1 -timeout 10m "${inner[@]}"
# Both ways of reading WebSockets pass the same tests; above it was the default, the reactor.
stage 'transport, a goroutine each' env SLUICE_TEST_READER=goroutine go test -race -count=1 -timeout 10m ./pkg/transport
stage 'end to end' go test -count=1 -timeout 15m ./pkg/e2e
if [[ $mode == all ]]; then
  if ! scripts/services.sh status >/dev/null 2>&1 </dev/null; then ours=yes; fi
  stage 'services up' scripts/services.sh up
  stage 'go test -race, real services' on_real
fi

printf '\n'
printf '%s\n' "${summary[@]}"
printf '%-32s %5d s\n' total $((SECONDS - begun))
if [[ $mode == embedded ]]; then
  echo "the suites on real services were left out on request; make test runs them"
fi
exit "$failed"
