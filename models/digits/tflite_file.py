"""Responsible for the model file: a graph to .tflite through `flatc`, and a .tflite back to a graph.

The layout of the format is not repeated here: both directions go through the project's own schema text, so this also shows that the
schema can write what the importer reads.
"""

import atexit
import functools
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

from graph import Graph, Operator, Tensor

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "sdk" / "src" / "import" / "tflite" / "tflite.fbs"
FORMAT_VERSION = 3

_TYPE_NAMES = {numpy.dtype(numpy.int8): "INT8", numpy.dtype(numpy.int32): "INT32"}
_OPTIONS_NAMES = {"CONV_2D": "Conv2DOptions", "FULLY_CONNECTED": "FullyConnectedOptions", "RESHAPE": "ReshapeOptions", "SOFTMAX": "SoftmaxOptions"}


def _flatc(*arguments):
    completed = subprocess.run(["flatc", *map(str, arguments)], capture_output=True, text=True)
    if completed.returncode != 0:
        raise RuntimeError(f"flatc {' '.join(map(str, arguments))} fails: {(completed.stdout + completed.stderr).strip()}")


def _decimal(value):
    """A single-precision value as a decimal that reads back as the same value."""
    return float(repr(float(value)))


def write(graph, path):
    """Writes the file; the same graph gives the same bytes."""
    # The format asks for an empty buffer 0: tensors without data refer to it.
    buffers = [{}]
    tensors = []
    for tensor in graph.tensors:
        buffer = 0
        if tensor.data is not None:
            buffer = len(buffers)
            little_endian = tensor.data.astype(tensor.dtype.newbyteorder("<"))
            buffers.append({"data": list(little_endian.tobytes())})
        entry = {"shape": [int(size) for size in tensor.shape], "type": _TYPE_NAMES[tensor.dtype], "buffer": buffer, "name": tensor.name}
        if len(tensor.scales):
            entry["quantization"] = {
                "scale": [_decimal(scale) for scale in tensor.scales],
                "zero_point": [int(zero_point) for zero_point in tensor.zero_points],
                "quantized_dimension": tensor.channel_axis,
            }
        tensors.append(entry)

    codes = []
    operators = []
    for operator in graph.operators:
        # Both code fields are written, because old readers know only the first and it reaches up to 126.
        code = (operator.kind, operator.version)
        if code not in codes:
            codes.append(code)
        operators.append({
            "opcode_index": codes.index(code), "inputs": list(operator.inputs), "outputs": list(operator.outputs),
            "builtin_options_type": _OPTIONS_NAMES[operator.kind], "builtin_options": operator.options,
        })

    numbers = _enumerators("BuiltinOperator")
    model = {
        "version": FORMAT_VERSION,
        "operator_codes": [{"deprecated_builtin_code": numbers[kind], "version": version, "builtin_code": kind} for kind, version in codes],
        "subgraphs": [{"tensors": tensors, "inputs": list(graph.inputs), "outputs": list(graph.outputs), "operators": operators, "name": graph.name}],
        "description": graph.description,
        "buffers": buffers,
    }
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "model.json"
        text.write_text(json.dumps(model))
        _flatc("--binary", "--strict-json", "-o", folder, SCHEMA, text)
        path.write_bytes(text.with_suffix(".tflite").read_bytes())


@functools.lru_cache(maxsize=None)
def _bindings_folder():
    """Where flatc's Python bindings of the schema are: made once per process, removed when it ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    _flatc("--python", "--gen-object-api", "-o", folder.name, SCHEMA)
    # The bindings import one another by package name while they run, so the folder stays on the path.
    sys.path.insert(0, folder.name)
    return pathlib.Path(folder.name)


def _binding(name):
    """One module of the bindings, whatever namespace the schema puts it in."""
    (found,) = _bindings_folder().rglob(f"{name}.py")
    return importlib.import_module(".".join(found.relative_to(_bindings_folder()).with_suffix("").parts))


def _enumerators(name):
    """Number by name of one of the format's enumerations."""
    return {key: value for key, value in vars(getattr(_binding(name), name)).items() if not key.startswith("_")}


def read(path):
    """The graph of a file. (flatc can also turn a file into JSON, but prints floats with six decimals: scales would not survive.)"""
    model = _binding("Model")
    parsed = model.ModelT.InitFromObj(model.Model.GetRootAsModel(bytearray(path.read_bytes()), 0))
    operator_names = {number: name for name, number in _enumerators("BuiltinOperator").items()}
    types = {_enumerators("TensorType")[name]: dtype for dtype, name in _TYPE_NAMES.items()}

    subgraph = parsed.subgraphs[0]
    tensors = []
    for entry in subgraph.tensors:
        dtype = types[entry.type]
        shape = tuple(int(size) for size in entry.shape)
        data = parsed.buffers[entry.buffer].data
        tensor = Tensor(_text(entry.name), shape, dtype)
        if data is not None and len(data):
            little_endian = numpy.asarray(data, dtype=numpy.uint8).tobytes()
            tensor.data = numpy.frombuffer(little_endian, dtype=dtype.newbyteorder("<")).astype(dtype).reshape(shape)
        if entry.quantization is not None and entry.quantization.scale is not None:
            tensor.scales = numpy.asarray(entry.quantization.scale, dtype=numpy.float32)
            tensor.zero_points = tuple(int(zero_point) for zero_point in entry.quantization.zeroPoint)
            tensor.channel_axis = entry.quantization.quantizedDimension
        tensors.append(tensor)

    operators = []
    for entry in subgraph.operators:
        code = parsed.operatorCodes[entry.opcodeIndex]
        kind = operator_names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        options = {_snake_case(name): value for name, value in vars(entry.builtinOptions).items()} if entry.builtinOptions is not None else {}
        operators.append(Operator(kind, code.version, tuple(map(int, entry.inputs)), tuple(map(int, entry.outputs)), options))
    return Graph(tensors, operators, tuple(map(int, subgraph.inputs)), tuple(map(int, subgraph.outputs)), _text(subgraph.name), _text(parsed.description))


def _text(value):
    return value.decode() if isinstance(value, bytes) else value or ""


def _snake_case(name):
    """The schema's spelling of a field: the bindings turn stride_w into strideW."""
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
