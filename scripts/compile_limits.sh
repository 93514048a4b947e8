#!/usr/bin/env bash
# What compiling may cost, measured: MobileNetV2 224 in under one second on one core, and of every golden model a peak memory under 8 x its size + 64 MiB.
# Usage: scripts/compile_limits.sh [--memory-only] [MODEL.tflite]...    without models, all of NARU_MODELS, else of ../shared/models
# Peaks count from the 12 MiB of the Python that starts the compiler: smaller ones show as that.
# Prints a table; exit code 1 when a limit is broken, 2 when it cannot be measured. --memory-only: once each, and no time limit (a busy machine).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
naru=${NARU_BINARY:-build/release/bin/naru}
[ -x "$naru" ] || { echo "compile_limits: $naru is not there: run scripts/demo.sh, which builds it" >&2; exit 2; }
runs=5
models=()
for argument in "$@"; do
  case $argument in
    --memory-only) runs=1 ;;
    --*) echo "usage: scripts/compile_limits.sh [--memory-only] [MODEL.tflite]..." >&2; exit 2 ;;
    *) models+=("$argument") ;;
  esac
done
if [ ${#models[@]} -eq 0 ]; then
  folder=${NARU_MODELS:-../shared/models}
  [ -d "$folder" ] || { echo "compile_limits: no models: set NARU_MODELS, or name files" >&2; exit 2; }
  models=("$folder"/*.tflite)
fi
unset NARU_CACHE  # a package that lies there already would not be compiled
exec /usr/bin/python3 - "$naru" "$runs" "${models[@]}" <<'PYTHON'
import os
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
TIMED = "tflm_mobilenet_v2_1.0_224_pt_int8"
SECONDS_MAX = 1.0

naru, runs, models = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
core = min(os.sched_getaffinity(0))


def compile_once(model, package):
    """Seconds from start to end of the program and its peak resident memory in bytes, on one core; None when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(["taskset", "-c", str(core), naru, "compile", model, "-o", package], stdout=subprocess.DEVNULL)
    # The usage of this very child: getrusage(RUSAGE_CHILDREN) keeps the maximum of all that ever ended.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return (seconds, usage.ru_maxrss * 1024) if process.returncode == 0 else None


broken = []
print(f"{'MODEL':<50} {'SIZE MiB':>9} {'PEAK MiB':>9} {'LIMIT MiB':>10} {'SECONDS':>8}  (median of {runs} on one core)")
with tempfile.TemporaryDirectory() as folder:
    for model in models:
        name = os.path.basename(model).removesuffix(".tflite")
        results = [compile_once(model, os.path.join(folder, "package.naru")) for _ in range(runs)]
        if None in results:
            print(f"{name:<50} does not compile")
            broken.append(f"{name} does not compile")
            continue
        size = os.path.getsize(model)
        seconds = statistics.median(result[0] for result in results)
        peak = max(result[1] for result in results)
        limit = 8 * size + 64 * MIB
        print(f"{name:<50} {size / MIB:>9.2f} {peak / MIB:>9.1f} {limit / MIB:>10.1f} {seconds:>8.3f}", flush=True)
        if peak >= limit:
            broken.append(f"{name} takes {peak / MIB:.1f} MiB of memory; the limit is {limit / MIB:.1f} MiB")
        if name == TIMED and runs > 1 and seconds >= SECONDS_MAX:
            broken.append(f"{name} takes {seconds:.3f} s; the limit is {SECONDS_MAX:.3f} s")
for line in broken:
    print("compile_limits: " + line, file=sys.stderr)
print(f"compile_limits: {len(models)} models, " + ("all limits kept" if not broken else f"{len(broken)} limits broken"))
sys.exit(1 if broken else 0)
PYTHON
