#!/usr/bin/env python3
"""The ctest test bench_tiny: a tiny run of the bench has every row that it is to have, each with every field, and says of what it cannot measure here why."""
import json
import subprocess
import sys
import tempfile

FIELDS = {"id", "variant", "unit", "better", "value", "value_spread", "peer", "peer_value", "peer_spread", "ratio", "target", "target_of", "met"}
DENSE = ["int32 geomean", "8-bit K >= 512 geomean", "8-bit K < 512 geomean"]
COMPUTE = {"conv-dense": DENSE, "conv-depthwise": ["int32 geomean", "8-bit geomean"], "gemm": DENSE}
OTHERS = {
    "job-null": ["in-process"],
    "job-null-batch32": ["in-process, per job"],
    "net-mobilenetv1-224": ["random weights, beside ONNX Runtime", "random weights, beside oneDNN's layer sum"],
    "net-mobilenetv2-224": ["random weights, beside ONNX Runtime", "random weights, beside oneDNN's layer sum", "trained model, output exact"],
    "usb-out": ["1 MiB, checksums off", "4 MiB, checksums off", "1 MiB, checksums on", "4 MiB, checksums on"],
    "usb-in": ["1 MiB, checksums off", "4 MiB, checksums off", "1 MiB, checksums on", "4 MiB, checksums on"],
    "usb-stream": ["1 MiB in, 1 MiB out, depth 8", "1 MiB in, 1 MiB out, depth 8, device in real time"],
    "usb-small-job": ["null job"],
    "warm-start": ["digits", "mobilenetv2-224"],
    "resident": ["digits", "mobilenetv2-224"],
    "scale-jobs": ["in flight on one queue"],
    "scale-buffers": ["alive, 64 bytes each", "alive, a hole beside every other"],
    "scale-models": ["different packages on one device, a session each"],
    "scale-devices": ["mocks in one process, a session of digits each"],
}
# Rows that a tiny run, or a machine without it, may skip; everything else has a value wherever the suite runs.
MAY_BE_SKIPPED = {"net-mobilenetv1-224", "net-mobilenetv2-224", "usb-out", "usb-in", "usb-stream", "usb-small-job", "warm-start", "resident"}


def problems_of(document):
    rows = {}
    for row in document["results"]:
        name = f'{row["id"]} / {row["variant"]}'
        if name in rows:
            yield f"{name}: twice"
        rows[name] = row
        if missing := FIELDS - row.keys():
            yield f"{name}: without {sorted(missing)}"
        if row["value"] is None and not row.get("skipped"):
            yield f"{name}: neither a value nor a reason"
        if row["value"] is not None and not row["value"] > 0:
            yield f'{name}: {row["value"]}'

    paths = [row["variant"] for row in document["results"] if row["id"] == "peak" and row["value"] is not None]
    if "portable" not in paths:
        yield "no peak of the portable path"
    wanted = [(id, f"{paths[0]} {mean}") for id, means in COMPUTE.items() for mean in means] if paths else []
    wanted += [(id, f"{path} {form} geomean") for id in COMPUTE for path in paths[1:] for form in ("int32", "8-bit")]
    wanted += [(id, variant) for id, variants in OTHERS.items() for variant in variants]
    for id, variant in wanted:
        row = rows.get(f"{id} / {variant}")
        if row is None and id.startswith("usb-"):  # one row says why there is none
            row = rows.get(f"{id} / ")
        if row is None:
            yield f"{id} / {variant}: no such row"
        elif row["value"] is None and id not in MAY_BE_SKIPPED:
            yield f'{id} / {variant}: skipped, {row["skipped"]}'


def main():
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        run = subprocess.run([sys.argv[1], "--tiny", "--json", file.name], check=False)
        if run.returncode != 0:
            return f"{sys.argv[1]} --tiny ended with {run.returncode}"
        lines = file.read().decode().splitlines()
    if len(lines) != 1:
        return f"{len(lines)} lines of JSON, 1 expected"
    document = json.loads(lines[0])
    problems = list(problems_of(document))
    for key in ("schema_version", "simulated", "tiny", "only", "kernels", "date", "commit", "machine", "processors", "load"):
        if key not in document:
            problems.append(f"no {key}")
    return "\n".join(problems)


sys.exit(main() or 0)
