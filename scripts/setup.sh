#!/usr/bin/env bash
# Installs the Debian packages of scripts/packages.txt that are missing, and says which. Changes nothing when all are there.
# Sourced by scripts/demo.sh and scripts/test.sh; may also be run alone.
set -euo pipefail
naru_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$naru_root/scripts/progress.sh"

naru_install_missing() {
  local list=$1 missing=() name
  while read -r name; do
    case $name in ''|'#'*) continue ;; esac
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
  done <"$list"
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "setup: installing ${#missing[@]} missing packages, which takes a minute or two: ${missing[*]}"
  local sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: not root and no sudo; run as root: apt-get install ${missing[*]}" >&2; return 1; }
    sudo=sudo
  fi
  local log
  log=$(mktemp)
  if ! naru_watch "$log" setup $sudo apt-get update -q || ! naru_watch "$log" setup $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; then
    tail -n 30 "$log" >&2
    echo "setup: apt-get failed; the last lines are above, the whole log is $log" >&2
    return 1
  fi
  rm -f "$log"
}

naru_install_missing "$naru_root/scripts/packages.txt"
