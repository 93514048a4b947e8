#!/usr/bin/env bash
# The suite, from a fresh Debian 12: installs what is missing, builds what the labels need, runs them, and says what was skipped and why.
# Usage: scripts/test.sh [LABEL]...    labels: fast, system (a served mock lost, stopped, plugged in again; the umockdev bus), asan, tsan (these four without arguments), clang (build only),
#        soak (long, by hand)
# NARU_MODELS names the folder of golden models; without it ../shared/models beside the checkout is taken where it exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
source scripts/build.sh

labels=("$@")
[ ${#labels[@]} -gt 0 ] || labels=(fast system asan tsan)
if [ -z "${NARU_MODELS:-}" ] && [ -d ../shared/models ]; then
  NARU_MODELS=$(cd ../shared/models && pwd)
fi
export NARU_MODELS=${NARU_MODELS:-}
[ -n "$NARU_MODELS" ] && echo "test: golden models in $NARU_MODELS" || echo "test: no golden models (set NARU_MODELS); their tests are skipped"
unset NARU_DEVICE NARU_KERNELS NARU_LOG NARU_THREADS

results=()
run_label() {
  local label=$1 preset=$2 started=$SECONDS code=0
  # Labels of one preset put their results together.
  if [[ " ${results[*]} " != *" build/$preset/results "* ]]; then
    rm -rf "build/$preset/results"
    mkdir -p "build/$preset/results"
    results+=("build/$preset/results")
  fi
  ctest --test-dir "build/$preset" -L "^$label\$" -j 2 --no-tests=error --output-on-failure || code=$?
  echo "test: $label took $((SECONDS - started)) s, builds aside"
  return $code
}

failed=0
for label in "${labels[@]}"; do
  case $label in
    fast) preset=release ;;
    asan) preset=asan; export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 ;;
    tsan) preset=tsan; export TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1 second_deadlock_stack=1" ;;
    soak | system) preset=release ;;
    clang) naru_build clang || failed=1; continue ;;
    *) echo "test: unknown label '$label' (fast, asan, tsan, system, clang, soak)" >&2; exit 2 ;;
  esac
  if ! naru_build "$preset" "naru_tests_$label"; then failed=1; continue; fi
  run_label "$label" "$preset" || failed=1
done
/usr/bin/python3 scripts/summarize_results.py "${results[@]}" || failed=1
exit $failed
