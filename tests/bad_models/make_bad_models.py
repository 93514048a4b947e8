#!/usr/bin/env python3
"""Writes models that must be refused, by the classes M1 to M24 of model-parsing defects, and a manifest: file|error id|part of the message.

Usage: make_bad_models.py FLATC SCHEMA FOLDER. Each case changes one thing of one of two valid models that are made here, as JSON that flatc packs, or as
bytes (of the first one).
"""
import pathlib
import subprocess
import sys

import tflite_json
from tflite_json import Model, Table, put

NOT_TFLITE, STRUCTURE, INDEX, BUFFER, SHAPE, QUANTIZATION, OPTIONS = range(201, 208)
UNKNOWN, UNSUPPORTED, LIMIT, GRAPH, TYPE, CONSTANT = range(208, 214)
INT_MAX, INT_MIN = 2**31 - 1, -(2**31)
NAN, INF = float("nan"), float("inf")


def network():
    """Operators by number: 0 QUANTIZE, 1 CONV_2D, 2 DEPTHWISE_CONV_2D, 3 PAD, 4 MAX_POOL_2D, 5 AVERAGE_POOL_2D, 6 ADD, 7 CONCATENATION, 8 TRANSPOSE,
    9 MEAN, 10 RELU, 11 RESHAPE, 12 FULLY_CONNECTED, 13 SOFTMAX, 14 DEQUANTIZE."""
    m = Model()
    m.add("input", [1, 8, 8, 4], "FLOAT32")
    m.add("codes", [1, 8, 8, 4])
    m.constant("conv/filter", [8, 3, 3, 4], scale=[0.01 * (i + 1) for i in range(8)])
    m.constant("conv/bias", [8], range(8), "INT32")
    m.add("conv/out", [1, 8, 8, 8])
    m.constant("depth/filter", [1, 3, 3, 8], scale=[0.02] * 8, axis=3)
    m.constant("depth/bias", [8], range(8), "INT32")
    m.add("depth/out", [1, 4, 4, 8])
    m.constant("paddings", [4, 2], [0, 0, 1, 1, 1, 1, 0, 0], "INT32")
    m.add("pad/out", [1, 6, 6, 8])
    m.add("max/out", [1, 3, 3, 8])
    m.add("average/out", [1, 3, 3, 8])
    m.add("add/out", [1, 3, 3, 8])
    m.add("concat/out", [1, 3, 3, 16])
    m.constant("permutation", [4], [0, 3, 1, 2], "INT32")
    m.add("transpose/out", [1, 16, 3, 3])
    m.constant("axes", [2], [2, -1], "INT32")
    m.add("mean/out", [1, 16])
    m.add("relu/out", [1, 16])
    m.constant("new_shape", [3], [2, 2, -1], "INT32")
    m.add("reshape/out", [2, 2, 4])
    m.constant("dense/filter", [10, 16])
    m.constant("dense/bias", [10], range(10), "INT32")
    m.add("dense/out", [1, 10])
    m.add("softmax/out", [1, 10], scale=1 / 256, zero_point=-128)
    m.add("output", [1, 10], "FLOAT32")
    window = {"stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2, "padding": "VALID"}
    m.run("QUANTIZE", ["input"], ["codes"], "QuantizeOptions")
    m.run("CONV_2D", ["codes", "conv/filter", "conv/bias"], ["conv/out"], "Conv2DOptions", stride_w=1, stride_h=1)
    m.run("DEPTHWISE_CONV_2D", ["conv/out", "depth/filter", "depth/bias"], ["depth/out"], "DepthwiseConv2DOptions", stride_w=2, stride_h=2, depth_multiplier=1)
    m.run("PAD", ["depth/out", "paddings"], ["pad/out"], "PadOptions")
    m.run("MAX_POOL_2D", ["pad/out"], ["max/out"], "Pool2DOptions", **window)
    m.run("AVERAGE_POOL_2D", ["pad/out"], ["average/out"], "Pool2DOptions", **window)
    m.run("ADD", ["max/out", "average/out"], ["add/out"], "AddOptions")
    m.run("CONCATENATION", ["add/out", "max/out"], ["concat/out"], "ConcatenationOptions", axis=-1)
    m.run("TRANSPOSE", ["concat/out", "permutation"], ["transpose/out"], "TransposeOptions")
    m.run("MEAN", ["transpose/out", "axes"], ["mean/out"], "ReducerOptions", keep_dims=False)
    m.run("RELU", ["mean/out"], ["relu/out"])
    m.run("RESHAPE", ["relu/out", "new_shape"], ["reshape/out"], "ReshapeOptions")
    m.run("FULLY_CONNECTED", ["reshape/out", "dense/filter", "dense/bias"], ["dense/out"], "FullyConnectedOptions")
    m.run("SOFTMAX", ["dense/out"], ["softmax/out"], "SoftmaxOptions", beta=1.0)
    m.run("DEQUANTIZE", ["softmax/out"], ["output"], "DequantizeOptions")
    return m.ends(["input"], ["output"])


def second_network():
    """What the first one has not: blocks, parts, indices, axes that come and go, divisions of whole numbers, and state. Operators by number: 0 CALL_ONCE,
    1 VAR_HANDLE, 2 READ_VARIABLE, 3 ASSIGN_VARIABLE; all others by the name of a result. Subgraph 1 gives the variable its first value."""
    m = Model()
    image = m.add("image", [1, 4, 4, 4])
    row = m.add("row", [1, 4])
    steps = m.add("steps", [1, 2, 2])
    numbers = {kind: m.add("numbers/" + kind, [4], kind) for kind in ("INT32", "INT64")}
    m.add("handle", [], "RESOURCE")
    m.add("variable", [1, 4])
    m.run("CALL_ONCE", [], [], "CallOnceOptions", init_subgraph_index=1)
    m.run("VAR_HANDLE", [], ["handle"], "VarHandleOptions", shared_name="memory")
    m.run("READ_VARIABLE", ["handle"], ["variable"], "ReadVariableOptions")
    m.run("ASSIGN_VARIABLE", ["handle", row], [], "AssignVariableOptions")

    results = ["variable"]

    def one(name, shape, kind, operands, options=None, element="INT8", **fields):
        results.append(m.add(name, shape, element))
        m.run(kind, operands, [name], options, **fields)

    m.constant("split/axis", [], [2], "INT32")
    results.extend([m.add("split/a", [1, 4, 2, 4]), m.add("split/b", [1, 4, 2, 4])])
    m.run("SPLIT", ["split/axis", image], ["split/a", "split/b"], "SplitOptions", num_splits=2)
    m.constant("sizes", [2], [1, -1], "INT32")
    m.constant("split_v/axis", [], [-1], "INT32")
    results.extend([m.add("split_v/a", [1, 4, 4, 1]), m.add("split_v/b", [1, 4, 4, 3])])
    m.run("SPLIT_V", [image, "sizes", "split_v/axis"], ["split_v/a", "split_v/b"], "SplitVOptions", num_splits=2)
    one("deep", [1, 2, 2, 16], "SPACE_TO_DEPTH", [image], "SpaceToDepthOptions", block_size=2)
    one("wide", [1, 8, 8, 1], "DEPTH_TO_SPACE", [image], "DepthToSpaceOptions", block_size=2)
    m.constant("blocks", [2], [2, 2], "INT32")
    m.constant("edges", [2, 2], [0] * 4, "INT32")
    one("batches", [4, 2, 2, 4], "SPACE_TO_BATCH_ND", [image, "blocks", "edges"], "SpaceToBatchNDOptions")
    m.constant("indices", [2], [0, 3], "INT32")
    one("gathered", [1, 2, 4, 4], "GATHER", [image, "indices"], "GatherOptions", axis=1)
    m.constant("places", [2, 2], [0, 0, 0, 3], "INT32")
    one("picked", [2], "GATHER_ND", [row, "places"], "GatherNdOptions")
    m.constant("new_axis", [], [-1], "INT32")
    one("expanded", [1, 4, 1], "EXPAND_DIMS", [row, "new_axis"], "ExpandDimsOptions")
    one("squeezed", [4], "SQUEEZE", [row], "SqueezeOptions", squeeze_dims=[0])

    # The smallest number by -1 is what has no result in the same width: it wraps.
    for kind, smallest in (("INT32", INT_MIN), ("INT64", -(2**63))):
        dividend = m.constant("smallest/" + kind, [4], [smallest] * 4, kind)
        for code, options in DIVISIONS:
            divisor = m.constant("divisor/%s/%s" % (code, kind), [4], [1, -1, 3, -7], kind)
            one("%s/%s" % (code, kind), [4], code, [numbers[kind], divisor], options, kind)
            one("%s/smallest/%s" % (code, kind), [4], code, [dividend, divisor], options, kind)
    m.constant("divisor/codes", [4], [1, -1, 3, -7])
    one("codes", [1, 4], "FLOOR_DIV", [row, "divisor/codes"], "FloorDivOptions")
    m.constant("exponents", [4], [0, 1, 2, 3], "INT32")
    one("powers", [4], "POW", [numbers["INT32"], "exponents"], "PowOptions", "INT32")

    m.constant("feature", [2, 4])
    m.constant("time", [2, 3], range(6), "INT16", 0.01)
    m.constant("svdf/bias", [2], [7, 7], "INT32")
    m.add("svdf/state", [1, 6], "INT16", 0.02)
    one("svdf", [1, 2], "SVDF", [row, "feature", "time", "svdf/bias", "svdf/state"], "SVDFOptions", rank=1)
    weights = [m.constant("weights/%d" % i, [2, 2]) for i in range(8)]
    biases = [m.constant("lstm/bias/%d" % i, [2], [7, 7], "INT32") for i in range(4)]
    m.add("hidden", [1, 2], scale=1 / 128, zero_point=5)
    m.add("cell", [1, 2], "INT16", 1 / 2048)
    operands = [steps] + weights + [None] * 3 + biases + [None] * 2 + ["hidden", "cell"] + [None] * 4
    one("lstm", [1, 2, 2], "UNIDIRECTIONAL_SEQUENCE_LSTM", operands, "UnidirectionalSequenceLSTMOptions", fused_activation_function="TANH")
    for state in ("svdf/state", "hidden", "cell"):
        m.t(state)["is_variable"] = True

    m.ends([image, row, steps] + list(numbers.values()), results)
    m.begin_subgraph("first values")
    m.add("handle", [], "RESOURCE")
    m.constant("first", [1, 4])
    m.run("VAR_HANDLE", [], ["handle"], "VarHandleOptions", shared_name="memory")
    m.run("ASSIGN_VARIABLE", ["handle", "first"], [], "AssignVariableOptions")
    return m.go_to(0)


DIVISIONS = (("DIV", "DivOptions"), ("FLOOR_DIV", "FloorDivOptions"), ("FLOOR_MOD", "FloorModOptions"))


def divided_by(code, kind, values):
    return parameters("divisor/%s/%s" % (code, kind), values, {"INT32": "i", "INT64": "q"}[kind])


def joined(extents, axis, total):
    """CONCATENATION of inputs of one dimension each."""
    m = Model()
    names = [m.add("part%d" % i, [extent], scale=1.0) for i, extent in enumerate(extents)]
    m.add("joined", [total], scale=1.0)
    m.run("CONCATENATION", names, ["joined"], "ConcatenationOptions", axis=axis)
    m.json["signature_defs"] = []
    return m.ends(names, ["joined"])


def put_at(place):
    """A case that changes a field: put_at(lambda m: (container, key, value))."""

    def change(m):
        container, key, value = place(m)
        container[key] = value

    return change


def ids(operator, field, index, value):
    return put_at(lambda m: (m.op(operator)[field], index, m.tensor_id(value) if isinstance(value, str) else value))


def option(operator, field, value):
    return put_at(lambda m: (m.options(operator), field, value))


def tensor(name, field, value):
    return put_at(lambda m: (m.t(name), field, value))


def quantization(name, field, value):
    return put_at(lambda m: (m.t(name)["quantization"], field, value))


def parameters(name, values, kind="i"):
    return lambda m: m.parameters(name, values, kind)


def initialised_by(subgraph):
    return option(0, "init_subgraph_index", subgraph)


def first_value(field, value):
    def change(m):
        m.go_to(1).t("first")[field] = value
        m.go_to(0)

    return change


def large_states(m):
    """Each within the limit on one tensor; a few bytes of the file for each."""
    for i in range(20):
        handle, value = m.add("large/handle/%d" % i, [], "RESOURCE"), m.add("large/%d" % i, [1 << 28])
        m.run("VAR_HANDLE", [], [handle], "VarHandleOptions", shared_name=value)
        m.run("READ_VARIABLE", [handle], [value], "ReadVariableOptions")


def initialiser_calls(m):
    """The subgraph that gives first values asks for itself, as in a recursion."""
    m.go_to(1).run("CALL_ONCE", [], [], "CallOnceOptions", init_subgraph_index=1).go_to(0)


def outside(name, offset, size):
    """The constant lies behind the FlatBuffer, it says."""
    return put_at(lambda m: (m.json["buffers"], m.t(name)["buffer"], {"offset": offset, "size": size}))


def builtin(operator, number):
    def change(m):
        m.code(operator).update({"builtin_code": number, "deprecated_builtin_code": min(number, 127)})

    return change


def swap(first, second):
    def change(m):
        operators = m.graph["operators"]
        operators[first], operators[second] = operators[second], operators[first]

    return change


def drop(place):
    def change(m):
        container, key = place(m)
        del container[key]

    return change


def chain(*changes):
    def change(m):
        for step in changes:
            step(m)

    return change


def patch(change):
    """A case that changes bytes of the packed seed; `change` gets a bytearray and may return another."""
    change.is_patch = True
    return change


def at(where, layout, value):
    return patch(lambda data: put(data, layout, where(data), value))


def moved(where, by, layout="<I"):
    def change(data):
        place = where(data)
        put(data, layout, place, tflite_json.struct.unpack_from(layout, data, place)[0] + by)

    return patch(change)


def graph_of(data):
    return Table.root(data).element(2, 0)


# (name, expected, part of the message, change); the class is the name's beginning.
CASES = [
    ("M01_root_in_the_identifier", STRUCTURE, "", patch(lambda data: bytearray(b"\0\0\0\0TFL3"))),
    ("M01_root_past_the_end", STRUCTURE, "", at(lambda data: 0, "<I", 0x7FFFFFFF)),
    ("M01_root_at_the_end", STRUCTURE, "", patch(lambda data: put(data, "<I", 0, len(data)))),
    ("M01_vtable_past_the_end", STRUCTURE, "", at(lambda data: Table.root(data).at, "<i", -0x10000000)),
    ("M01_half_a_file", STRUCTURE, "", patch(lambda data: data[: len(data) // 2])),
    ("M01_subgraphs_without_end", STRUCTURE, "", at(lambda data: Table.root(data).target(2), "<I", 0xFFFFFFFF)),
    ("M01_tensors_past_the_end", STRUCTURE, "", at(lambda data: graph_of(data).field(0), "<I", 0x01000000)),
    ("M01_empty", NOT_TFLITE, "TFL3", patch(lambda data: bytearray())),
    ("M02_root_off_by_one", STRUCTURE, "", moved(lambda data: 0, 1)),
    ("M02_root_off_by_two", STRUCTURE, "", moved(lambda data: 0, 2)),
    ("M02_subgraphs_off_by_two", STRUCTURE, "", moved(lambda data: Table.root(data).field(2), 2)),
    ("M02_tensors_off_by_one", STRUCTURE, "", moved(lambda data: graph_of(data).field(0), 1)),
    ("M02_operators_off_by_two", STRUCTURE, "", moved(lambda data: graph_of(data).field(3), 2)),
    ("M02_vtable_off_by_one", STRUCTURE, "", moved(lambda data: Table.root(data).at, 1, "<i")),
    ("M02_shape_off_by_one", STRUCTURE, "", moved(lambda data: graph_of(data).element(0, 1).field(0), 1)),
    ("M03_operand_past_the_end", INDEX, "Operator 1 CONV_2D, inputs", ids(1, "inputs", 0, 999)),
    ("M03_operand_minus_two", INDEX, "Operator 1 CONV_2D, inputs", ids(1, "inputs", 2, -2)),
    ("M03_operand_left_out", INDEX, "Operator 4 MAX_POOL_2D, inputs", ids(4, "inputs", 0, -1)),
    ("M03_operand_smallest", INDEX, "Operator 6 ADD, inputs", ids(6, "inputs", 1, INT_MIN)),
    ("M03_result_left_out", INDEX, "Operator 6 ADD, outputs", ids(6, "outputs", 0, -1)),
    ("M03_result_past_the_end", INDEX, "Operator 12 FULLY_CONNECTED, outputs", ids(12, "outputs", 0, 26)),
    ("M03_graph_input_past_the_end", INDEX, "nputs of the graph", put_at(lambda m: (m.graph["inputs"], 0, 26))),
    ("M03_graph_output_negative", INDEX, "utputs of the graph", put_at(lambda m: (m.graph["outputs"], 0, -1))),
    ("M03_signature_past_the_end", INDEX, "ignature_defs", put_at(lambda m: (m.json["signature_defs"][0]["inputs"][0], "tensor_index", 4000000000))),
    ("M04_filter_far_past_the_end", BUFFER, "conv/filter", tensor("conv/filter", "buffer", 9999)),
    ("M04_filter_largest", BUFFER, "conv/filter", tensor("conv/filter", "buffer", 0xFFFFFFFF)),
    ("M04_result_just_past_the_end", BUFFER, "dense/out", put_at(lambda m: (m.t("dense/out"), "buffer", len(m.json["buffers"])))),
    ("M04_bias_past_the_end", BUFFER, "dense/bias", tensor("dense/bias", "buffer", 1 << 31)),
    ("M04_input_past_the_end", BUFFER, "input", tensor("input", "buffer", 500)),
    ("M04_no_buffers", BUFFER, "the model has 0 buffers", chain(put_at(lambda m: (m.json, "metadata", [])), put_at(lambda m: (m.json, "buffers", [])))),
    ("M05_metadata_past_the_end", BUFFER, "etadata.buffer", put_at(lambda m: (m.json["metadata"][0], "buffer", 77))),
    ("M05_metadata_just_past_the_end", BUFFER, "etadata.buffer", put_at(lambda m: (m.json["metadata"][0], "buffer", len(m.json["buffers"])))),
    ("M05_metadata_largest", BUFFER, "etadata.buffer", put_at(lambda m: (m.json["metadata"][0], "buffer", 0xFFFFFFFF))),
    ("M05_old_metadata_negative", BUFFER, "etadata_buffer", put_at(lambda m: (m.json, "metadata_buffer", [-1]))),
    ("M05_old_metadata_past_the_end", BUFFER, "etadata_buffer", put_at(lambda m: (m.json, "metadata_buffer", [0, INT_MAX]))),
    ("M05_second_metadata", BUFFER, "etadata.buffer", lambda m: m.json["metadata"].append({"name": "two", "buffer": 500})),
    ("M06_offset_wraps", BUFFER, "buffer.offset", outside("conv/filter", 2**64 - 8, 16)),
    ("M06_size_wraps", BUFFER, "buffer.offset", outside("conv/filter", 16, 2**64 - 8)),
    ("M06_both_are_half", BUFFER, "buffer.offset", outside("conv/filter", 2**63, 2**63)),
    ("M06_past_the_end", BUFFER, "buffer.offset", outside("dense/bias", 1 << 20, 40)),
    ("M06_over_32_bits", BUFFER, "buffer.offset", outside("dense/bias", (1 << 32) + 8, 40)),
    ("M06_largest", BUFFER, "buffer.offset", outside("conv/bias", 2**64 - 1, 2**64 - 1)),
    ("M07_filter_without_data", GRAPH, "conv/filter", tensor("conv/filter", "buffer", 0)),
    ("M07_filter_too_short", CONSTANT, "conv/filter", lambda m: m.buffer("conv/filter").update(data=[1] * 100)),
    ("M07_bias_too_long", CONSTANT, "dense/bias", lambda m: m.buffer("dense/bias").update(data=[0] * 400)),
    ("M07_bias_too_short", CONSTANT, "conv/bias", lambda m: m.buffer("conv/bias").update(data=[0] * 31)),
    ("M07_constant_is_written", GRAPH, "dense/filter", ids(6, "outputs", 0, "dense/filter")),
    ("M07_constant_is_an_input", GRAPH, "conv/bias", lambda m: m.graph["inputs"].append(m.tensor_id("conv/bias"))),
    ("M08_add_in_place", GRAPH, "max/out", ids(6, "outputs", 0, "max/out")),
    ("M08_relu_in_place", GRAPH, "mean/out", ids(10, "outputs", 0, "mean/out")),
    ("M08_pool_in_place", GRAPH, "pad/out", ids(4, "outputs", 0, "pad/out")),
    ("M08_concatenation_in_place", GRAPH, "add/out", ids(7, "outputs", 0, "add/out")),
    ("M08_softmax_in_place", GRAPH, "dense/out", ids(13, "outputs", 0, "dense/out")),
    ("M08_convolution_in_place", GRAPH, "codes", ids(1, "outputs", 0, "codes")),
    ("M09_wraps_to_zero", SHAPE, "conv/out", tensor("conv/out", "shape", [65536] * 4)),
    ("M09_largest", SHAPE, "conv/out", tensor("conv/out", "shape", [INT_MAX] * 4)),
    ("M09_wraps_to_its_size", SHAPE, "add/out", tensor("add/out", "shape", [2**30, 2**30, 2**30, 72])),
    ("M09_filter_wraps", SHAPE, "conv/filter", tensor("conv/filter", "shape", [8, INT_MAX, INT_MAX, INT_MAX])),
    ("M09_input_wraps", SHAPE, "input", tensor("input", "shape", [INT_MAX, INT_MAX, INT_MAX, 4])),
    ("M09_32_bits_wrap", LIMIT, "conv/out", tensor("conv/out", "shape", [65536, 65536, 1, 8])),
    ("M10_padding_before", OPTIONS, "Operator 3 PAD, paddings", parameters("paddings", [0, 0, INT_MAX, 1, 1, 1, 0, 0])),
    ("M10_padding_after", OPTIONS, "Operator 3 PAD, paddings", parameters("paddings", [0, 0, 1, 1, 1, 1, 0, INT_MAX])),
    ("M10_padding_both", OPTIONS, "Operator 3 PAD, paddings", parameters("paddings", [0, 0, INT_MAX, INT_MAX, 1, 1, 0, 0])),
    ("M10_padding_of_the_batch", OPTIONS, "Operator 3 PAD, paddings", parameters("paddings", [0, INT_MAX, 1, 1, 1, 1, 0, 0])),
    ("M10_window_wraps", OPTIONS, "Operator 4 MAX_POOL_2D", option(4, "filter_height", INT_MAX)),
    ("M10_dilated_window_wraps", SHAPE, "Operator 1 CONV_2D", chain(option(1, "dilation_h_factor", INT_MAX), option(1, "padding", "VALID"))),
    ("M11_huge_input", LIMIT, "input", tensor("input", "shape", [1, INT_MAX, 1, 1])),
    ("M11_huge_result", LIMIT, "conv/out", tensor("conv/out", "shape", [1, 1 << 15, 1 << 15, 8])),
    ("M11_huge_filter", LIMIT, "conv/filter", tensor("conv/filter", "shape", [8, 1 << 15, 1 << 15, 4])),
    ("M11_many_dimensions", LIMIT, "mean/out", tensor("mean/out", "shape", [1] * 4000)),
    ("M11_nine_dimensions", LIMIT, "add/out", tensor("add/out", "shape", [1] * 8 + [72])),
    ("M11_huge_together", LIMIT, "", chain(*[tensor(n, "shape", [1, 1 << 14, 1 << 13, 2]) for n in ("conv/out", "depth/out", "pad/out", "max/out", "average/out", "add/out", "concat/out", "transpose/out", "codes")])),
    ("M12_zero", SHAPE, "codes", tensor("codes", "shape", [1, 0, 8, 4])),
    ("M12_minus_one", SHAPE, "input", tensor("input", "shape", [-1, 8, 8, 4])),
    ("M12_smallest", SHAPE, "add/out", tensor("add/out", "shape", [1, INT_MIN, 3, 8])),
    ("M12_zero_result", SHAPE, "softmax/out", tensor("softmax/out", "shape", [1, 0])),
    ("M12_zero_filter", SHAPE, "dense/filter", tensor("dense/filter", "shape", [0, 16])),
    ("M12_two_negative", SHAPE, "mean/out", tensor("mean/out", "shape", [-1, -16])),
    ("M13_convolution_stride", OPTIONS, "Operator 1 CONV_2D, stride_h", option(1, "stride_h", 0)),
    ("M13_depthwise_stride", OPTIONS, "Operator 2 DEPTHWISE_CONV_2D, stride_w", option(2, "stride_w", 0)),
    ("M13_dilation", OPTIONS, "dilation_w_factor", option(1, "dilation_w_factor", 0)),
    ("M13_pool_filter", OPTIONS, "Operator 5 AVERAGE_POOL_2D, filter_height", option(5, "filter_height", 0)),
    ("M13_pool_stride", OPTIONS, "Operator 4 MAX_POOL_2D, stride_h", option(4, "stride_h", 0)),
    ("M13_stride_negative", OPTIONS, "Operator 1 CONV_2D, stride_w", option(1, "stride_w", -1)),
    ("M14_groups_do_not_divide", SHAPE, "conv/filter", tensor("conv/filter", "shape", [8, 3, 4, 3])),
    ("M14_channels_do_not_share", SHAPE, "conv/filter", tensor("conv/filter", "shape", [8, 12, 1, 3])),
    ("M14_multiplier_two", OPTIONS, "depth_multiplier", option(2, "depth_multiplier", 2)),
    ("M14_multiplier_negative", OPTIONS, "depth_multiplier", option(2, "depth_multiplier", -1)),
    ("M14_multiplier_largest", OPTIONS, "depth_multiplier", option(2, "depth_multiplier", INT_MAX)),
    ("M14_groups_without_channels", SHAPE, "conv/filter", tensor("conv/filter", "shape", [8, 3, 3, 0])),
    ("M14_multiplier_of_no_channels", SHAPE, "depth/filter", chain(tensor("depth/filter", "shape", [1, 3, 3, 0]), option(2, "depth_multiplier", 0))),
    ("M15_convolution_stride", OPTIONS, "stride_w", option(1, "stride_w", INT_MIN)),
    ("M15_pool_stride", OPTIONS, "stride_w", option(4, "stride_w", INT_MIN)),
    ("M15_dilation", OPTIONS, "dilation_h_factor", option(2, "dilation_h_factor", INT_MIN)),
    ("M15_axis", OPTIONS, "Operator 7 CONCATENATION, axis", option(7, "axis", INT_MIN)),
    ("M15_mean_axis", OPTIONS, "Operator 9 MEAN, axis", parameters("axes", [INT_MIN, -1])),
    ("M15_permutation", OPTIONS, "Operator 8 TRANSPOSE, permutation", parameters("permutation", [0, 3, INT_MIN, 2])),
    ("M16_concatenation_too_large", OPTIONS, "Operator 7 CONCATENATION, axis", option(7, "axis", 4)),
    ("M16_concatenation_too_negative", OPTIONS, "Operator 7 CONCATENATION, axis", option(7, "axis", -5)),
    ("M16_mean_too_large", OPTIONS, "Operator 9 MEAN, axis", parameters("axes", [2, 4])),
    ("M16_mean_too_negative", OPTIONS, "Operator 9 MEAN, axis", parameters("axes", [-5, 3])),
    ("M16_mean_largest", OPTIONS, "Operator 9 MEAN, axis", parameters("axes", [INT_MAX, 1])),
    ("M17_addends", SHAPE, "Operator 6 ADD", ids(6, "inputs", 1, "pad/out")),
    ("M17_dense_depth", SHAPE, "Operator 12 FULLY_CONNECTED", tensor("dense/filter", "shape", [32, 5])),
    ("M17_bias", SHAPE, "depth/bias", ids(12, "inputs", 2, "depth/bias")),
    ("M17_concatenation", SHAPE, "pad/out", ids(7, "inputs", 1, "pad/out")),
    ("M17_convolution_result", SHAPE, "conv/out", tensor("conv/out", "shape", [1, 8, 7, 8])),
    ("M17_reshape", SHAPE, "reshape/out", tensor("reshape/out", "shape", [2, 2, 5])),
    ("M17_filter_rank", SHAPE, "conv/filter", tensor("conv/filter", "shape", [8, 36])),
    ("M18_permutation_past_the_end", OPTIONS, "permutation", parameters("permutation", [0, 4, 1, 2])),
    ("M18_permutation_repeats", OPTIONS, "permutation", parameters("permutation", [0, 1, 1, 2])),
    ("M18_padding_negative", OPTIONS, "paddings", parameters("paddings", [0, 0, -1, 1, 1, 1, 0, 0])),
    ("M18_paddings_of_one_dimension", SHAPE, "paddings", tensor("paddings", "shape", [8])),
    ("M18_two_unknown_dimensions", SHAPE, "Operator 11 RESHAPE", parameters("new_shape", [2, -1, -1])),
    ("M18_shape_disagrees", SHAPE, "Operator 11 RESHAPE", parameters("new_shape", [2, 8, -1])),
    ("M19_two_halves", LIMIT, "part0", lambda m: joined([2**30, 2**30], 0, INT_MAX)),
    ("M19_nine_eighths", LIMIT, "", lambda m: joined([2**28] * 9, 0, 2**28)),
    ("M19_largest_twice", LIMIT, "part0", lambda m: joined([INT_MAX, INT_MAX], 0, 2)),
    ("M19_sum_is_larger", SHAPE, "joined", lambda m: joined([2**20, 2**20], 0, 2**20)),
    ("M19_sum_is_smaller", SHAPE, "joined", lambda m: joined([3, 4], 0, 8)),
    ("M20_cycle", GRAPH, "add/out", ids(4, "inputs", 0, "add/out")),
    ("M20_order", GRAPH, "relu/out", swap(10, 11)),
    ("M20_written_twice", GRAPH, "max/out", ids(5, "outputs", 0, "max/out")),
    ("M20_input_is_written", GRAPH, "input", ids(14, "outputs", 0, "input")),
    ("M20_while", UNKNOWN, "Operator 10 WHILE", builtin(10, 119)),
    ("M20_if", UNKNOWN, "Operator 10 IF", builtin(10, 118)),
    ("M21_scale_zero", QUANTIZATION, "conv/out", quantization("conv/out", "scale", [0.0])),
    ("M21_scale_nan", QUANTIZATION, "codes", quantization("codes", "scale", [NAN])),
    ("M21_scale_infinite", QUANTIZATION, "codes", quantization("codes", "scale", [INF])),
    ("M21_scale_negative", QUANTIZATION, "dense/filter", quantization("dense/filter", "scale", [-0.01])),
    ("M21_zero_point_past_the_codes", QUANTIZATION, "zero_point", quantization("codes", "zero_point", [128])),
    ("M21_zero_point_past_32_bits", QUANTIZATION, "zero_point", quantization("codes", "zero_point", [1 << 40])),
    ("M21_channel_count", QUANTIZATION, "conv/filter", chain(quantization("conv/filter", "scale", [0.01] * 7), quantization("conv/filter", "zero_point", [0] * 7))),
    ("M21_channel_axis", QUANTIZATION, "quantized_dimension", quantization("conv/filter", "quantized_dimension", 4)),
    ("M21_missing", QUANTIZATION, "add/out", drop(lambda m: (m.t("add/out"), "quantization"))),
    ("M21_softmax_result", QUANTIZATION, "softmax/out", quantization("softmax/out", "zero_point", [0])),
    ("M22_filter", TYPE, "sparsity", tensor("conv/filter", "sparsity", {})),
    ("M22_activation", TYPE, "sparsity", tensor("add/out", "sparsity", {"traversal_order": [9]})),
    ("M22_bias", TYPE, "sparsity", tensor("dense/bias", "sparsity", {"traversal_order": [0, 1, 2, 3]})),
    ("M22_paddings", TYPE, "sparsity", tensor("paddings", "sparsity", {"traversal_order": [-1]})),
    ("M22_input", TYPE, "sparsity", tensor("input", "sparsity", {"traversal_order": [INT_MAX]})),
    ("M23_variable_is_an_input", GRAPH, "input", tensor("input", "is_variable", True)),
    ("M23_filter_is_a_variable", CONSTANT, "conv/filter", tensor("conv/filter", "is_variable", True)),
    ("M23_bias_is_a_variable", CONSTANT, "dense/bias", tensor("dense/bias", "is_variable", True)),
    ("M23_paddings_are_a_variable", CONSTANT, "paddings", tensor("paddings", "is_variable", True)),
    ("M23_result_is_a_variable", UNSUPPORTED, "conv/out", tensor("conv/out", "is_variable", True)),
    ("M23_changes_its_input", UNSUPPORTED, "mutating_variable_inputs", put_at(lambda m: (m.op(12), "mutating_variable_inputs", [True, False, False]))),
    ("M24_string", TYPE, "STRING", tensor("add/out", "type", "STRING")),
    ("M24_custom", UNKNOWN, "CUSTOM", chain(builtin(6, 32), put_at(lambda m: (m.code(6), "custom_code", "Mine")))),
    ("M24_unknown_code", UNKNOWN, "builtin 5000", builtin(6, 5000)),
    ("M24_code_past_the_end", STRUCTURE, "Operator 6, opcode_index", put_at(lambda m: (m.op(6), "opcode_index", 500))),
    ("M24_version_zero", UNSUPPORTED, "version", put_at(lambda m: (m.code(6), "version", 0))),
    ("M24_options_of_another_kind", OPTIONS, "Operator 1 CONV_2D, builtin_options", lambda m: m.op(1).update(builtin_options_type="PadOptions", builtin_options={})),
    ("M24_options_missing", OPTIONS, "Operator 1 CONV_2D, builtin_options", lambda m: (m.op(1).pop("builtin_options"), m.op(1).pop("builtin_options_type"))),
    ("M24_beta_nan", OPTIONS, "beta", option(13, "beta", NAN)),
    ("M24_padding_that_does_not_exist", OPTIONS, "padding", option(1, "padding", 7)),
    ("M24_no_subgraphs", GRAPH, "ubgraphs", put_at(lambda m: (m.json, "subgraphs", []))),
    ("M24_no_outputs", GRAPH, "utputs of the graph", put_at(lambda m: (m.graph, "outputs", []))),
    ("M24_schema_version", STRUCTURE, "ersion", put_at(lambda m: (m.json, "version", 4))),
    ("M24_no_operands", INDEX, "Operator 10 RELU", put_at(lambda m: (m.op(10), "inputs", []))),
    ("M24_name_that_moves_the_cursor", UNKNOWN, "Operator 6", chain(builtin(6, 32), put_at(lambda m: (m.code(6), "custom_code", "\x1b[2J")))),
]


# Of the second network.
SECOND_CASES = [
    ("M11_many_dimensions_of_a_variable", LIMIT, '"variable", shape: has 4000 dimensions', tensor("variable", "shape", [1] * 4000)),
    ("M11_many_dimensions_to_squeeze", LIMIT, '"row", shape: has 4000 dimensions', tensor("row", "shape", [1] * 4000)),
    ("M11_many_dimensions_of_a_first_value", LIMIT, '"first", shape', first_value("shape", [1] * 9)),
    ("M11_many_large_states", LIMIT, "all tensors", large_states),
    ("M14_space_to_depth_block", OPTIONS, "SPACE_TO_DEPTH, block_size", option("deep", "block_size", 0)),
    ("M14_space_to_depth_block_largest", OPTIONS, "SPACE_TO_DEPTH, block_size", option("deep", "block_size", INT_MAX)),
    ("M14_depth_to_space_block", OPTIONS, "DEPTH_TO_SPACE, block_size", option("wide", "block_size", 0)),
    ("M14_depth_to_space_block_negative", OPTIONS, "DEPTH_TO_SPACE, block_size", option("wide", "block_size", -2)),
    ("M14_space_to_batch_block", OPTIONS, "SPACE_TO_BATCH_ND, block_shape", parameters("blocks", [2, 0])),
    ("M14_splits", OPTIONS, "SPLIT, num_splits", option("split/a", "num_splits", 0)),
    ("M14_splits_negative", OPTIONS, "SPLIT, num_splits", option("split/a", "num_splits", -2)),
    ("M14_splits_of_sizes", OPTIONS, "SPLIT_V, num_splits", option("split_v/a", "num_splits", 0)),
    ("M14_splits_without_results", OPTIONS, "SPLIT, outputs", chain(option("split/a", "num_splits", 0), lambda m: m.op("split/a").update(outputs=[]))),
]
for _kind in ("INT32", "INT64"):
    for _code, _ in DIVISIONS:
        SECOND_CASES.append(("M15_%s_%s" % (_code.lower(), _kind.lower()), CONSTANT, "%s, tensor" % _code, divided_by(_code, _kind, [1, -1, 0, -7])))
SECOND_CASES += [
    ("M15_div_names_the_divisor", CONSTANT, '"divisor/DIV/INT32", buffer: has 0 at element 3', divided_by("DIV", "INT32", [1, -1, 3, 0])),
    ("M15_smallest_by_nothing", CONSTANT, "DIV/INT64", divided_by("DIV", "INT64", [0] * 4)),
    ("M15_floor_div_of_codes", CONSTANT, "divisor/codes", parameters("divisor/codes", [1, 0, 3, -7], "b")),
    ("M15_exponent", CONSTANT, "exponents", parameters("exponents", [0, 1, INT_MIN, 3])),
    ("M16_expand_too_large", OPTIONS, "EXPAND_DIMS, tensor", parameters("new_axis", [7])),
    ("M16_expand_just_too_large", OPTIONS, '"new_axis", axis: is 3; must be -3 to 2', parameters("new_axis", [3])),
    ("M16_expand_too_negative", OPTIONS, '"new_axis", axis: is -4', parameters("new_axis", [-4])),
    ("M16_expand_smallest", OPTIONS, "new_axis", parameters("new_axis", [INT_MIN])),
    ("M16_expand_two_axes", OPTIONS, '"new_axis", axis: has 2 values', chain(tensor("new_axis", "shape", [2]), parameters("new_axis", [0, 1]))),
    ("M16_squeeze_too_large", OPTIONS, "SQUEEZE, squeeze_dims: is 5", option("squeezed", "squeeze_dims", [5])),
    ("M16_squeeze_just_too_large", OPTIONS, "SQUEEZE, squeeze_dims: is 2", option("squeezed", "squeeze_dims", [0, 2])),
    ("M16_squeeze_too_negative", OPTIONS, "SQUEEZE, squeeze_dims: is -3", option("squeezed", "squeeze_dims", [-3])),
    ("M16_squeeze_smallest", OPTIONS, "SQUEEZE, squeeze_dims", option("squeezed", "squeeze_dims", [INT_MIN])),
    ("M16_squeeze_of_more_than_one", SHAPE, '"row", squeeze_dims: has 1; the dimension has 4', option("squeezed", "squeeze_dims", [1])),
    ("M16_split_too_large", OPTIONS, "SPLIT, axis", parameters("split/axis", [4])),
    ("M16_split_v_too_negative", OPTIONS, "SPLIT_V, axis", parameters("split_v/axis", [-5])),
    ("M16_gather_too_large", OPTIONS, "GATHER, axis", option("gathered", "axis", 4)),
    ("M16_gather_batches", OPTIONS, "GATHER, batch_dims", option("gathered", "batch_dims", 2)),
    ("M17_expand_elsewhere", SHAPE, '"expanded", shape: is 1x4x1; input and axis give 1x1x4', parameters("new_axis", [1])),
    ("M17_expand_nothing", SHAPE, "expanded", tensor("expanded", "shape", [1, 4])),
    ("M17_squeeze_too_much", SHAPE, '"squeezed", shape', lambda m: (m.t("squeezed").update(shape=[]), m.options("squeezed").pop("squeeze_dims"))),
    ("M17_squeeze_nothing", SHAPE, '"squeezed", shape', tensor("squeezed", "shape", [1, 4])),
    ("M17_split_uneven", SHAPE, "split/b", tensor("split/b", "shape", [1, 4, 1, 4])),
    ("M17_gather_result", SHAPE, "gathered", tensor("gathered", "shape", [1, 3, 4, 4])),
    ("M18_gather_past_the_end", CONSTANT, '"indices", buffer: has index 4', parameters("indices", [0, 4])),
    ("M18_gather_negative", CONSTANT, '"indices", buffer: has index -1', parameters("indices", [0, -1])),
    ("M18_gather_smallest", CONSTANT, '"indices", buffer', parameters("indices", [INT_MIN, 0])),
    ("M18_gather_nd_past_the_end", CONSTANT, '"places", buffer: has index 1', parameters("places", [0, 0, 1, 3])),
    ("M18_gather_nd_negative", CONSTANT, '"places", buffer: has index -1', parameters("places", [0, -1, 0, 3])),
    ("M18_gather_nd_too_deep", SHAPE, "places", chain(tensor("places", "shape", [2, 3]), parameters("places", [0] * 6))),
    ("M18_sizes_two_rests", OPTIONS, '"sizes", size_splits: has 2 values, 2 of them -1', parameters("sizes", [-1, -1])),
    ("M18_sizes_are_others", SHAPE, '"split_v/a", size_splits: has 2 for it; dimension 3 has 1', parameters("sizes", [2, -1])),
    ("M18_sizes_negative", SHAPE, '"split_v/b", size_splits', parameters("sizes", [1, -3])),
    ("M18_sizes_of_three", OPTIONS, '"sizes", size_splits: has 3 values', chain(tensor("sizes", "shape", [3]), parameters("sizes", [1, 2, 1]))),
    ("M20_once_itself", GRAPH, "Operator 0 CALL_ONCE, init_subgraph_index", initialised_by(0)),
    ("M20_once_just_past_the_end", GRAPH, "Operator 0 CALL_ONCE, init_subgraph_index", initialised_by(2)),
    ("M20_once_largest", GRAPH, "Operator 0 CALL_ONCE, init_subgraph_index", initialised_by(INT_MAX)),
    ("M20_once_negative", GRAPH, "Operator 0 CALL_ONCE, init_subgraph_index", initialised_by(-1)),
    ("M20_once_calls_again", UNSUPPORTED, "CALL_ONCE", initialiser_calls),
    ("M23_read_without_handle", GRAPH, "Operator 2 READ_VARIABLE, inputs", ids(2, "inputs", 0, "row")),
    ("M23_read_of_nothing", INDEX, "Operator 2 READ_VARIABLE, inputs", ids(2, "inputs", 0, -1)),
    ("M23_read_without_operands", OPTIONS, "Operator 2 READ_VARIABLE, inputs", put_at(lambda m: (m.op(2), "inputs", []))),
    ("M23_read_before_its_handle", GRAPH, "READ_VARIABLE, inputs", swap(1, 2)),
    ("M23_assign_without_handle", GRAPH, "Operator 3 ASSIGN_VARIABLE, inputs", ids(3, "inputs", 0, "image")),
    ("M23_assign_nothing", INDEX, "Operator 3 ASSIGN_VARIABLE, inputs", ids(3, "inputs", 1, -1)),
    ("M23_assign_another_size", SHAPE, "image", ids(3, "inputs", 1, "image")),
    ("M23_svdf_without_state", INDEX, "SVDF, inputs", ids("svdf", "inputs", 4, -1)),
    ("M23_svdf_state_left_off", INDEX, "SVDF, inputs", lambda m: m.op("svdf")["inputs"].pop()),
    ("M23_svdf_state_is_none", GRAPH, '"svdf/state", is_variable', tensor("svdf/state", "is_variable", False)),
    ("M23_lstm_without_hidden_state", INDEX, "UNIDIRECTIONAL_SEQUENCE_LSTM, inputs", ids("lstm", "inputs", 18, -1)),
    ("M23_lstm_without_cell_state", INDEX, "UNIDIRECTIONAL_SEQUENCE_LSTM, inputs", ids("lstm", "inputs", 19, -1)),
    ("M23_lstm_state_is_none", GRAPH, '"cell", is_variable', tensor("cell", "is_variable", False)),
    ("M23_lstm_states_are_one", GRAPH, '"hidden", inputs', ids("lstm", "inputs", 19, "hidden")),
]


def pack(flatc, schema, folder, models):
    """One run of flatc for all of them; gives the bytes by name."""
    sources = folder / "json"
    sources.mkdir(exist_ok=True)
    files = []
    for name, model in models.items():
        files.append(sources / (name + ".json"))
        files[-1].write_text(model.text())
    subprocess.run([flatc, "-b", "--no-warnings", "-o", str(folder), schema] + [str(file) for file in files], check=True)


def main():
    flatc, schema, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    tflite_json.read_numbers(pathlib.Path(schema).read_text())
    models = {"valid": network(), "valid_second": second_network()}
    for seed, cases in (("valid", CASES), ("valid_second", SECOND_CASES)):
        for name, _, _, change in cases:
            if getattr(change, "is_patch", False):
                continue
            model = models[seed].copy()
            replaced = change(model)
            assert name not in models, name
            models[name] = replaced if isinstance(replaced, Model) else model
    pack(flatc, schema, folder, models)
    valid = (folder / "valid.tflite").read_bytes()
    manifest = []
    for name, expected, says, change in CASES + SECOND_CASES:
        if getattr(change, "is_patch", False):
            data = bytearray(valid)
            replaced = change(data)
            (folder / (name + ".tflite")).write_bytes(bytes(data if replaced is None else replaced))
        manifest.append("%s.tflite|NARU-%04d|%s" % (name, expected, says))
    (folder / "manifest.txt").write_text("\n".join(manifest) + "\n")


if __name__ == "__main__":
    main()
