#!/usr/bin/env bash
# Configures and builds one CMake preset into build/<preset>. Usage: scripts/build.sh PRESET [TARGET]...   (sourced functions: naru_build)
set -euo pipefail
naru_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$naru_root/scripts/progress.sh"

naru_build() {
  local preset=$1 started log
  shift
  started=$SECONDS
  log="$naru_root/build/$preset.configure.log"
  mkdir -p "$naru_root/build"
  if ! (cd "$naru_root" && cmake --preset "$preset" >"$log" 2>&1); then
    tail -n 30 "$log" >&2
    echo "build: configuring $preset failed; the whole log is $log" >&2
    return 1
  fi
  echo "build: $preset ..."
  # ninja shows its progress on a terminal; elsewhere it goes to a file.
  if [ -t 1 ]; then
    cmake --build "$naru_root/build/$preset" ${1:+--target "$@"}
  elif ! naru_watch "$naru_root/build/$preset.build.log" "build: $preset" cmake --build "$naru_root/build/$preset" ${1:+--target "$@"}; then
    grep -E -A 12 'FAILED|error' "$naru_root/build/$preset.build.log" | head -n 80 >&2
    echo "build: $preset failed; the whole log is build/$preset.build.log" >&2
    return 1
  fi
  echo "build: $preset done in $((SECONDS - started)) s"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  [ $# -ge 1 ] || { echo "usage: scripts/build.sh PRESET [TARGET]..." >&2; exit 2; }
  naru_build "$@"
fi
