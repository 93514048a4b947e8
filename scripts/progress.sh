#!/usr/bin/env bash
# Runs a long command with its output in a file, and says every 30 seconds how far it is, so that no log stands still for minutes. Sourced by the other scripts.

# naru_watch LOG WHAT COMMAND...: the exit code is the command's. Progress is the last "[n/m]" of ninja in LOG where there is one, else the last line.
naru_watch() {
  local log=$1 what=$2 started=$SECONDS said=$SECONDS step
  shift 2
  "$@" >"$log" 2>&1 &
  local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    # Returns early when the command ends: waits for it, but at most a second.
    timeout 1 tail --pid="$pid" -f /dev/null || true
    if [ $((SECONDS - said)) -ge 30 ]; then
      said=$SECONDS
      step=$(tail -n 1 "$log" | grep -o '^\[[0-9]*/[0-9]*\]' || tail -n 1 "$log" | cut -c1-100)
      echo "$what: ${step:-...} after $((SECONDS - started)) s"
    fi
  done
  wait "$pid"
}
