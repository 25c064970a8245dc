#!/usr/bin/env bash
# A headless browser for the tests of the example's page: Debian's Chromium,
# installed when it is missing. The last line printed is the program's path.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

chromium=${SLUICE_CHROMIUM:-/usr/bin/chromium}
if [[ ! -x $chromium ]]; then
  [[ -z ${SLUICE_CHROMIUM:-} ]] || {
    echo "SLUICE_CHROMIUM names $chromium, which cannot be run" >&2
    exit 1
  }
  # Without fonts a page has boxes for letters, and other widths.
  need_packages chromium fonts-dejavu-core >&2
fi
[[ -x $chromium ]] || {
  echo "no $chromium, though the package is there" >&2
  exit 1
}
echo "$chromium"
