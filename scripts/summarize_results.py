#!/usr/bin/python3
"""Sums up GoogleTest's JSON results: what was skipped and why, what failed and how it begins, then one closing line. Exits 1 when a test failed or nothing ran.

Usage: summarize_results.py RESULTS_DIRECTORY..."""
import json
import pathlib
import sys

FAILURE_LINES = 12


def main(directories):
    passed, failed, skipped = 0, [], []
    for directory in directories:
        for path in sorted(pathlib.Path(directory).glob("*.json")):
            preset = path.parent.parent.name
            try:
                report = json.loads(path.read_text())
            except ValueError:
                failed.append(f"{preset}/{path.stem}: its results were not written to the end")
                continue
            for suite in report.get("testsuites", []):
                for test in suite.get("testsuite", []):
                    name = f"{preset}/{suite['name']}.{test['name']}"
                    if test.get("result") == "SKIPPED":
                        reasons = [s.get("message", "").strip().splitlines()[-1] for s in test.get("skipped", []) if s.get("message", "").strip()]
                        skipped.append(f"{name}: {reasons[0] if reasons else 'no reason given'}")
                    elif test.get("failures"):
                        text = "\n".join(f.get("failure", "") for f in test["failures"]).splitlines()
                        failed.append("\n    ".join([name] + text[:FAILURE_LINES]))
                    elif test.get("status") == "RUN":
                        passed += 1
    for line in skipped:
        print(f"skipped  {line}")
    for line in failed:
        print(f"failed   {line}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 0 if passed and not failed else 1


sys.exit(main(sys.argv[1:]))
