#!/usr/bin/env bash
# The table of cycles, SRAM and DRAM traffic of every golden model against what no schedule can beat (docs/performance.md keeps it).
# Usage: scripts/cycles.sh [--profile P] [--json] [MODEL.tflite]...    without models, all of NARU_MODELS, else of ../shared/models
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
source scripts/build.sh
options=()
models=()
while [ $# -gt 0 ]; do
  case $1 in
    --profile) [ $# -ge 2 ] || { echo "cycles: --profile needs a name" >&2; exit 2; }
      options+=(--profile "$2"); shift 2 ;;
    --json) options+=(--json); shift ;;
    --*) echo "usage: scripts/cycles.sh [--profile P] [--json] [MODEL.tflite]..." >&2; exit 2 ;;
    *) models+=("$1"); shift ;;
  esac
done
if [ ${#models[@]} -eq 0 ]; then
  folder=${NARU_MODELS:-../shared/models}
  [ -d "$folder" ] || { echo "cycles: no models: set NARU_MODELS, or name files" >&2; exit 2; }
  models=("$folder"/*.tflite)
fi
naru_build release naru_cycles >&2
exec build/release/bin/naru_cycles ${options[@]+"${options[@]}"} "${models[@]}"
