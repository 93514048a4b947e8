"""Small TFLite models as JSON for flatc, and the few FlatBuffers offsets that a byte patch needs. Made for make_bad_models.py."""
import copy
import json
import re
import struct


class Model:
    """The current subgraph grows, first the main one. `json` is flatc's input; cases change it in place."""

    def __init__(self):
        self.current = 0
        self.json = {
            "version": 3,
            "operator_codes": [],
            "subgraphs": [{"tensors": [], "inputs": [], "outputs": [], "operators": [], "name": "main"}],
            "description": "made to be refused",
            "buffers": [{}],
            "metadata": [{"name": "note", "buffer": 0}],
            "signature_defs": [{"inputs": [{"name": "x", "tensor_index": 0}], "outputs": [], "signature_key": "serving_default", "subgraph_index": 0}],
        }

    def copy(self):
        return copy.deepcopy(self)

    @property
    def graph(self):
        return self.json["subgraphs"][self.current]

    def begin_subgraph(self, name):
        self.json["subgraphs"].append({"tensors": [], "inputs": [], "outputs": [], "operators": [], "name": name})
        self.current = len(self.json["subgraphs"]) - 1
        return self

    def go_to(self, subgraph):
        self.current = subgraph
        return self

    def tensor_id(self, name):
        for index, tensor in enumerate(self.graph["tensors"]):
            if tensor["name"] == name:
                return index
        raise KeyError(name)

    def t(self, name):
        return self.graph["tensors"][self.tensor_id(name)]

    def op(self, which):
        """By its number, or by the name of one of its results."""
        if isinstance(which, int):
            return self.graph["operators"][which]
        return next(op for op in self.graph["operators"] if self.tensor_id(which) in op["outputs"])

    def options(self, index):
        return self.op(index)["builtin_options"]

    def code(self, index):
        return self.json["operator_codes"][self.op(index)["opcode_index"]]

    def buffer(self, name):
        return self.json["buffers"][self.t(name)["buffer"]]

    def parameters(self, name, values, kind="i"):
        """Other values in a constant tensor's buffer."""
        self.buffer(name)["data"] = list(struct.pack("<%d%s" % (len(values), kind), *values))

    def add(self, name, shape, kind="INT8", scale=0.05, zero_point=0, axis=0):
        tensor = {"shape": list(shape), "type": kind, "buffer": 0, "name": name}
        if kind in ("INT8", "UINT8", "INT16") and scale is not None:
            scales = scale if isinstance(scale, list) else [scale]
            tensor["quantization"] = {"scale": scales, "zero_point": [zero_point] * len(scales), "quantized_dimension": axis}
        self.graph["tensors"].append(tensor)
        return name

    def constant(self, name, shape, values=None, kind="INT8", scale=0.02, axis=0):
        self.add(name, shape, kind, scale, 0, axis)
        count = 1
        for dimension in shape:
            count *= dimension
        letter = {"INT8": "b", "UINT8": "B", "INT16": "h", "INT32": "i", "INT64": "q", "FLOAT32": "f"}[kind]
        values = list(values) if values is not None else [(7 * i) % 11 - 5 for i in range(count)]
        self.json["buffers"].append({"data": list(struct.pack("<%d%s" % (len(values), letter), *values))})
        self.t(name)["buffer"] = len(self.json["buffers"]) - 1
        return name

    def run(self, kind, inputs, outputs, options=None, **fields):
        """`kind` is a builtin's name or number; `options` a table's name; `fields` are its fields."""
        self.json["operator_codes"].append({"deprecated_builtin_code": 127, "version": 1, "builtin_code": kind})
        ids = lambda names: [-1 if name is None else self.tensor_id(name) for name in names]
        op = {"opcode_index": len(self.json["operator_codes"]) - 1, "inputs": ids(inputs), "outputs": ids(outputs)}
        if NUMBERS[kind] < 127:
            self.json["operator_codes"][-1]["deprecated_builtin_code"] = NUMBERS[kind]
        if options is not None:
            op["builtin_options_type"] = options
            op["builtin_options"] = fields
        self.graph["operators"].append(op)
        return self

    def ends(self, inputs, outputs):
        self.graph["inputs"] = [self.tensor_id(name) for name in inputs]
        self.graph["outputs"] = [self.tensor_id(name) for name in outputs]
        return self

    def text(self):
        # flatc spells these in small letters.
        text = json.dumps(self.json)
        return re.sub(r"\bNaN\b", "nan", re.sub(r"\bInfinity\b", "inf", text))


NUMBERS = {}


def read_numbers(schema_text):
    """The builtin operators' numbers, from the schema itself."""
    body = re.search(r"enum BuiltinOperator\s*:\s*int\s*\{(.*?)\}", schema_text, re.S).group(1)
    for name, number in re.findall(r"(\w+)\s*=\s*(\d+)", body):
        NUMBERS[name] = int(number)


class Table:
    """A FlatBuffers table in a bytearray that is patched."""

    def __init__(self, data, at):
        self.data = data
        self.at = at

    @classmethod
    def root(cls, data):
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def vtable(self):
        return self.at - struct.unpack_from("<i", self.data, self.at)[0]

    def field(self, number):
        """Where the field's value (or its offset) lies."""
        relative = struct.unpack_from("<H", self.data, self.vtable() + 4 + 2 * number)[0]
        assert relative != 0, "the field is not there"
        return self.at + relative

    def target(self, number):
        at = self.field(number)
        return at + struct.unpack_from("<I", self.data, at)[0]

    def table(self, number):
        return Table(self.data, self.target(number))

    def element(self, number, index):
        at = self.target(number) + 4 + 4 * index
        return Table(self.data, at + struct.unpack_from("<I", self.data, at)[0])


def put(data, layout, at, value):
    struct.pack_into(layout, data, at, value)
