#!/usr/bin/env bash
# The main job, from a fresh Debian 12: installs what is missing, builds `release`, runs the project's own digit model on the in-process mock device.
# Usage: scripts/demo.sh [DIGIT 0-9]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
digit=${1:-7}
case $digit in [0-9]) ;; *) echo "usage: scripts/demo.sh [DIGIT 0-9]" >&2; exit 2 ;; esac
source scripts/setup.sh
source scripts/build.sh
naru_build release naru_cli

naru=build/release/bin/naru
echo
echo "\$ naru run models/digits/digits.tflite --device mock:edge --input models/digits/samples/digit$digit.png --labels models/digits/labels.txt --draw --check"
"$naru" run models/digits/digits.tflite --device mock:edge --input "models/digits/samples/digit$digit.png" --labels models/digits/labels.txt --draw --check
echo
said=$("$naru" run models/digits/digits.tflite --device mock:edge --input "models/digits/samples/digit$digit.png" --labels models/digits/labels.txt --json |
  /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["top"][0]["label"])')
if [ "$said" = "$digit" ]; then
  echo "demo: the picture shows a $digit, and the model on the mock device says $said."
else
  echo "demo: the picture shows a $digit, but the model on the mock device says $said." >&2
  exit 1
fi
