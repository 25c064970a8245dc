# shellcheck shell=bash
# Debian packages for the scripts beside this file. Sourced, never run.

# need_packages NAME... installs those Debian packages that are missing, and
# starts nothing: a package's own service would take the usual port and outlive
# us. Without root, sudo or apt it says what is missing and fails.
need_packages() {
  local missing=() name
  for name in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || missing+=("$name")
  done
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    as_root=(sudo -n)
  fi
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "cannot install ${missing[*]}: needs apt-get, and root or sudo without a password" >&2
    return 1
  fi
  echo "installing ${missing[*]}"
  # Asked by maintainer scripts before they start anything; 101 says no.
  local policy=/usr/sbin/policy-rc.d ours='' status=0 log
  log=$(mktemp)
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    ours=yes
  fi
  local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
  {
    timeout 300 "${as_root[@]}" "${quiet[@]}" update &&
      timeout 600 "${as_root[@]}" "${quiet[@]}" install -y --no-install-recommends "${missing[@]}"
  } </dev/null >"$log" 2>&1 || status=$?
  [[ -z $ours ]] || "${as_root[@]}" rm -f "$policy"
  if ((status != 0)); then
    tail -n 20 "$log" >&2
    echo "could not install ${missing[*]} (apt-get ended with $status)" >&2
  fi
  rm -f "$log"
  return "$status"
}
