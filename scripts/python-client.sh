#!/usr/bin/env bash
# The Python client of the end-to-end tests: a virtual environment in
# .run/python with exactly what requirements.txt names. The last line printed is
# its interpreter.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

wanted=pkg/e2e/clients/python/requirements.txt
venv=$PWD/.run/python
mkdir -p .run
exec 9>.run/python.lock
flock -w 300 9
if ! cmp -s "$wanted" "$venv/.installed"; then
  rm -rf "$venv"
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    need_packages python3 python3-venv >&2
  fi
  python3 -m venv "$venv" >&2
  timeout 300 "$venv/bin/pip" install --quiet --no-deps --disable-pip-version-check -r "$wanted" </dev/null >&2
  cp "$wanted" "$venv/.installed"
fi
echo "$venv/bin/python"
