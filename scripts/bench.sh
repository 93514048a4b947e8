#!/usr/bin/env bash
# The bench, from a fresh Debian 12: installs what is missing, builds `release`, measures on one core, prints the table.
# Usage: scripts/bench.sh [--json FILE] [--only ID-PREFIX] [--kernels vnni|avx2|portable] [--tiny]    --json appends one line, so that one file keeps the history
# --kernels: device and oneDNN compute with nothing newer than that, as on a CPU that has no more (vnni: no matrix unit).
# ONNX Runtime, a peer, comes from npm into build/bench-peers; where that fails, its rows say so and the others are measured.
# NARU_BENCH_CPU is the processor to stay on (default: the last one); NARU_MODELS names the folder of golden models, else ../shared/models is taken.
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --json) [ $# -ge 2 ] || { echo "bench: --json needs a file" >&2; exit 2; }
      case $2 in /*) arguments+=(--json "$2") ;; *) arguments+=(--json "$called_from/$2") ;; esac; shift 2 ;;
    --only) [ $# -ge 2 ] || { echo "bench: --only needs the beginning of an id" >&2; exit 2; }
      arguments+=(--only "$2"); shift 2 ;;
    --kernels) case ${2-} in vnni | avx2 | portable) ;; *) echo "bench: --kernels takes vnni, avx2 or portable" >&2; exit 2 ;; esac
      arguments+=(--kernels "$2"); shift 2 ;;
    --tiny) arguments+=(--tiny); shift ;;
    *) echo "usage: scripts/bench.sh [--json FILE] [--only ID-PREFIX] [--kernels vnni|avx2|portable] [--tiny]" >&2; exit 2 ;;
  esac
done
source scripts/setup.sh
source scripts/build.sh

# No scripts of the package are run: its own would fetch CUDA.
naru_install_peers() {
  local folder=build/bench-peers version=1.30.0 log=build/bench-peers.log
  grep -qs "\"version\": \"$version\"" "$folder/node_modules/onnxruntime-node/package.json" && return 0
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    naru_install_missing bench/packages.txt || true
  fi
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "bench: no node and npm, so no ONNX Runtime" >&2
    return 0
  fi
  mkdir -p "$folder"
  naru_watch "$log" "bench: ONNX Runtime $version from npm" npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund "onnxruntime-node@$version" && return 0
  tail -n 10 "$log" >&2
  echo "bench: npm failed, so no ONNX Runtime; the whole log is $log" >&2
}

naru_build release naru_bench naru_cli
naru_install_peers
unset NARU_DEVICE NARU_KERNELS NARU_LOG NARU_THREADS
export OMP_NUM_THREADS=1  # of oneDNN
NARU_BENCH_COMMIT=$(git describe --always --dirty 2>/dev/null || true)
export NARU_BENCH_COMMIT
exec taskset -c "${NARU_BENCH_CPU:-$(($(nproc) - 1))}" build/release/bin/naru_bench "${arguments[@]}"
