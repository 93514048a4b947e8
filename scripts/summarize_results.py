#!/usr/bin/python3
"""Sums up GoogleTest's XML results (the JSON ones leave out why a test was skipped): what tests measured, what was skipped and why, what failed and how it begins, then one closing line. Exits 1 when a test failed or nothing ran.

Usage: summarize_results.py RESULTS_DIRECTORY..."""
import pathlib
import sys
from xml.etree import ElementTree

FAILURE_LINES = 12


def main(directories):
    passed, failed, skipped, measured = 0, [], [], []
    for directory in directories:
        for path in sorted(pathlib.Path(directory).glob("*.xml")):
            preset = path.parent.parent.name
            try:
                root = ElementTree.parse(path).getroot()
            except ElementTree.ParseError:
                failed.append(f"{preset}/{path.stem}: its results were not written to the end")
                continue
            for test in root.iter("testcase"):
                name = f"{preset}/{test.get('classname')}.{test.get('name')}"
                failures = test.findall("failure")
                measured += [f"{name}: {note.get('value')}" for note in test.iter("property") if note.get("name") == "measured"]
                if test.get("result") == "skipped":
                    # GoogleTest writes file and line first, then what the test said.
                    reason = [line for note in test.findall("skipped") for line in (note.get("message") or "").splitlines()][1:]
                    skipped.append(f"{name}: {' '.join(reason) or 'no reason given'}")
                elif failures:
                    text = "\n".join(failure.text or "" for failure in failures).splitlines()
                    failed.append("\n    ".join([name] + text[:FAILURE_LINES]))
                elif test.get("status") == "run":
                    passed += 1
    for line in measured:
        print(f"measured {line}")
    for line in skipped:
        print(f"skipped  {line}")
    for line in failed:
        print(f"failed   {line}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 0 if passed and not failed else 1


sys.exit(main(sys.argv[1:]))
