#!/usr/bin/env bash
# The programs that lint and generate, at exact versions, in .run/bin.
#
#   scripts/tools.sh [NAME...]   builds those that are missing or of another version
#   scripts/tools.sh path        prints the folder
#
# They are built from source with the Go at hand: a linter that was built with an
# older Go refuses a newer module. They stay out of go.mod, whose versions they
# would raise.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${SLUICE_TOOLS_DIR:-$root/.run/bin}

declare -A tools=(
  [buf]=github.com/bufbuild/buf/cmd/buf@v1.50.0
  [protoc-gen-go]=google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
  [protoc-gen-go-grpc]=google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0
  [golangci-lint]=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
)

# built NAME says whether the program is there, at the version wanted and made by
# the Go at hand: all of it stands in the binary itself.
built() {
  local package=${tools[$1]%@*} version=${tools[$1]#*@} info
  [[ -x $bin/$1 ]] || return 1
  info=$(go version -m "$bin/$1" 2>/dev/null) || return 1
  [[ $info == *": $(go env GOVERSION)"$'\n'* && $info == *$'\tpath\t'"$package"$'\n'* && $info == *$'\tmod\t'*$'\t'"$version"[$'\t\n']* ]]
}

case ${1:-} in
path)
  echo "$bin"
  exit
  ;;
esac
(($#)) || set -- "${!tools[@]}"
mkdir -p "$bin"
# GOTOOLCHAIN: the Go of this module builds them, not one that a tool asks for.
go_here=$(cd "$root" && go env GOVERSION)
for name in "$@"; do
  [[ -n ${tools[$name]:-} ]] || {
    echo "no tool called $name; there are: ${!tools[*]}" >&2
    exit 2
  }
  if built "$name"; then
    continue
  fi
  echo "building ${tools[$name]}"
  begun=$SECONDS
  # Out of the module, so that its go.mod has no say.
  (cd "$bin" && GOBIN=$bin GOWORK=off GOTOOLCHAIN=$go_here timeout 1200 go install "${tools[$name]}") </dev/null || {
    echo "could not build $name" >&2
    exit 1
  }
  echo "built $name in $((SECONDS - begun)) s"
done
