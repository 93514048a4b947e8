"""Responsible for running a quantised graph in integers only, to the bit as TensorFlow Lite's int8 reference kernels do.

It is the judge of the digit model: the accuracy that is published and the outputs in expected.json come from here, never from the
floating-point network. Only the operators that the digit model has are implemented; it shares no code with the SDK, on purpose.
"""

import math

import numpy

INT8_MIN, INT8_MAX = -128, 127
INT32_MIN, INT32_MAX = -2**31, 2**31 - 1
PADDING_SAME = 0
ACTIVATION_NONE, ACTIVATION_RELU = 0, 1


# Requantisation: a real factor as a 31-bit multiplier and a power of two, with two roundings.


def quantise_multiplier(real):
    """(multiplier, shift) with real = multiplier * 2^(shift - 31) as nearly as 31 bits allow; shift > 0 is to the left."""
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    # round() would round halves to even; the reference rounds them away from zero, and the fraction is positive.
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def saturating_rounding_doubling_high_multiply(left, right):
    """round(left * right / 2^31) on int64 arrays that hold int32 values; halves go up, and only INT32_MIN squared saturates."""
    return numpy.minimum((left * right + 2**30) >> 31, INT32_MAX)


def rounding_divide_by_power_of_two(values, exponents):
    """values / 2^exponents on int64 arrays, halves away from zero."""
    exponents = numpy.asarray(exponents, dtype=numpy.int64)
    half = numpy.where(exponents > 0, numpy.int64(1) << numpy.maximum(exponents - 1, 0), 0)
    return (values + half - ((values < 0) & (exponents > 0))) >> exponents


def multiply_by_quantised_multiplier(values, multipliers, shifts):
    """values (int64 holding int32) times the real factor, in two rounding steps as the reference kernels do by default."""
    shifts = numpy.asarray(shifts, dtype=numpy.int64)
    doubled = values << numpy.maximum(shifts, 0)
    return rounding_divide_by_power_of_two(saturating_rounding_doubling_high_multiply(doubled, multipliers), numpy.maximum(-shifts, 0))


def _requantise(accumulators, real_factors, output, activation):
    """Accumulators (rows, channels) to int8 with the output tensor's scale, zero point and fused activation."""
    multipliers, shifts = zip(*(quantise_multiplier(float(factor)) for factor in real_factors))
    scaled = multiply_by_quantised_multiplier(accumulators, numpy.array(multipliers, numpy.int64), numpy.array(shifts))
    zero_point = output.zero_points[0]
    lowest = {ACTIVATION_NONE: INT8_MIN, ACTIVATION_RELU: max(INT8_MIN, zero_point)}[activation]
    return numpy.clip(scaled + zero_point, lowest, INT8_MAX).astype(numpy.int8)


def _exact_product(left, right):
    """left @ right.T for integers. Sums stay far below 2^53, so the double-precision product is exact, and it is the fast one."""
    product = left.astype(numpy.float64) @ right.astype(numpy.float64).T
    assert numpy.abs(product).max(initial=0) <= INT32_MAX
    return product.astype(numpy.int64)


# Kernels: each takes the graph, the operator and the arrays by tensor index; arrays have the batch as their first axis.


def _same_padding(size, kernel, stride):
    """(output size, padding before, padding after); an odd pixel goes after."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return outputs, total // 2, total - total // 2


def _convolution(graph, operator, arrays):
    source, weights, bias = (graph.tensors[index] for index in operator.inputs)
    output = graph.tensors[operator.outputs[0]]
    options = operator.options
    assert options["padding"] == PADDING_SAME and options["dilation_w_factor"] == options["dilation_h_factor"] == 1
    images = arrays[operator.inputs[0]].astype(numpy.int64) - source.zero_points[0]
    channels, kernel_height, kernel_width, depth = weights.shape
    rows, above, below = _same_padding(images.shape[1], kernel_height, options["stride_h"])
    columns, before, after = _same_padding(images.shape[2], kernel_width, options["stride_w"])
    # Zeros after the zero point is taken off: taps outside the image add nothing.
    padded = numpy.pad(images, ((0, 0), (above, below), (before, after), (0, 0)))
    taps = [padded[:, row:row + (rows - 1) * options["stride_h"] + 1:options["stride_h"],
                   column:column + (columns - 1) * options["stride_w"] + 1:options["stride_w"]]
            for row in range(kernel_height) for column in range(kernel_width)]
    patches = numpy.stack(taps, axis=3).reshape(-1, kernel_height * kernel_width * depth)
    accumulators = _exact_product(patches, weights.data.reshape(channels, -1)) + bias.data.astype(numpy.int64)
    # The order of these operations, all in double, is part of the reference's result.
    factors = numpy.broadcast_to(numpy.float64(source.scales[0]) * weights.scales.astype(numpy.float64) / numpy.float64(output.scales[0]), channels)
    result = _requantise(accumulators, factors, output, options["fused_activation_function"])
    return result.reshape(len(images), rows, columns, channels)


def _fully_connected(graph, operator, arrays):
    source, weights, bias = (graph.tensors[index] for index in operator.inputs)
    output = graph.tensors[operator.outputs[0]]
    rows = arrays[operator.inputs[0]].astype(numpy.int64) - source.zero_points[0]
    rows = rows.reshape(len(rows), -1)
    accumulators = _exact_product(rows, weights.data.astype(numpy.int64) - weights.zero_points[0]) + bias.data.astype(numpy.int64)
    # Unlike the convolution's, this product of scales is rounded to single precision first.
    factor = numpy.float64(numpy.float32(source.scales[0] * weights.scales[0])) / numpy.float64(output.scales[0])
    factors = numpy.broadcast_to(factor, len(weights.data))
    return _requantise(accumulators, factors, output, operator.options["fused_activation_function"])


def _reshape(graph, operator, arrays):
    source = arrays[operator.inputs[0]]
    return source.reshape(len(source), *graph.tensors[operator.outputs[0]].shape[1:])


# Softmax in fixed point. A name ending in _qN holds int32 values (in int64 arrays) with N integer bits and 31 - N fraction bits.

_SCALED_DIFFERENCE_BITS = 5
_ACCUMULATOR_BITS = 12


def _saturate(values):
    return numpy.clip(values, INT32_MIN, INT32_MAX)


def _exp_between_minus_quarter_and_zero(values_q0):
    """e^x for -1/4 <= x < 0: Taylor about -1/8, to the fourth power."""
    multiply = saturating_rounding_doubling_high_multiply
    exp_of_minus_eighth, one_third = 1895147668, 715827883
    x = values_q0 + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4_over_4 = rounding_divide_by_power_of_two(multiply(x2, x2), 2)
    tail = rounding_divide_by_power_of_two(multiply(x4_over_4 + x3, one_third) + x2, 1)
    return exp_of_minus_eighth + multiply(exp_of_minus_eighth, x + tail)


def _exp_of_non_positive(values_q5):
    """e^x for x <= 0 as Q0.31: the part below a quarter by polynomial, every further bit of the argument by one factor e^-(2^k)."""
    fraction_bits = 31 - _SCALED_DIFFERENCE_BITS
    quarter = 1 << (fraction_bits - 2)
    below_quarter = (values_q5 & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(_saturate(below_quarter << _SCALED_DIFFERENCE_BITS))
    remainder = below_quarter - values_q5
    for exponent, factor in ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535), (3, 720401), (4, 242)):
        has_bit = (remainder & (1 << (fraction_bits + exponent))) != 0
        result = numpy.where(has_bit, saturating_rounding_doubling_high_multiply(result, factor), result)
    return numpy.where(values_q5 == 0, INT32_MAX, result)


def _reciprocal_of_one_plus(values_q0):
    """1 / (1 + x) for 0 <= x < 1 as Q0.31: Newton's iteration, three steps, in Q2.29."""
    multiply = saturating_rounding_doubling_high_multiply
    total = values_q0 + INT32_MAX
    half_denominator_q0 = (total + 1) >> 1  # halves go up; the sum is never negative here
    x_q2 = 1515870810 + multiply(half_denominator_q0, -1010580540)
    for _ in range(3):
        one_minus_q2 = (1 << 29) - multiply(half_denominator_q0, x_q2)
        x_q2 = x_q2 + _saturate(multiply(x_q2, one_minus_q2) << 2)
    # Half of a Q2 value is a Q1 value with the same bits; one shift makes that Q0.
    return _saturate(x_q2 << 1)


def _softmax(graph, operator, arrays):
    source = graph.tensors[operator.inputs[0]]
    output = graph.tensors[operator.outputs[0]]
    assert output.zero_points[0] == INT8_MIN and output.scales[0] == numpy.float32(1 / 256)
    real = min(float(operator.options["beta"]) * float(source.scales[0]) * (1 << (31 - _SCALED_DIFFERENCE_BITS)), INT32_MAX)
    multiplier, left_shift = quantise_multiplier(real)
    # Differences that e^x would take to zero anyway, and that the shift below would overflow on, are left out.
    smallest = -math.floor(((1 << _SCALED_DIFFERENCE_BITS) - 1) * (1 << (31 - _SCALED_DIFFERENCE_BITS)) / (1 << left_shift))

    rows = arrays[operator.inputs[0]].astype(numpy.int64)
    differences = rows - rows.max(axis=-1, keepdims=True)
    taken = differences >= smallest
    scaled_q5 = saturating_rounding_doubling_high_multiply(numpy.where(taken, differences, 0) << left_shift, multiplier)
    exponentials = _exp_of_non_positive(scaled_q5)
    sums = numpy.where(taken, rounding_divide_by_power_of_two(exponentials, _ACCUMULATOR_BITS), 0).sum(axis=-1, keepdims=True)

    # Every sum is at least one, so its leading zeros in 32 bits say by which power of two it is above one.
    leading_zeros = numpy.array([32 - int(value).bit_length() for value in sums.ravel()], dtype=numpy.int64).reshape(sums.shape)
    bits_over_unit = _ACCUMULATOR_BITS - leading_zeros
    reciprocal = _reciprocal_of_one_plus((sums << leading_zeros) - (1 << 31))
    products = saturating_rounding_doubling_high_multiply(reciprocal, exponentials)
    shares = rounding_divide_by_power_of_two(products, bits_over_unit + 31 - 8)
    return numpy.where(taken, numpy.clip(shares + INT8_MIN, INT8_MIN, INT8_MAX), INT8_MIN).astype(numpy.int8)


_KERNELS = {"CONV_2D": _convolution, "FULLY_CONNECTED": _fully_connected, "RESHAPE": _reshape, "SOFTMAX": _softmax}


def run(graph, images):
    """int8 outputs for a batch of int8 images of the shape of the graph's only input (whose own batch is 1)."""
    arrays = {graph.inputs[0]: images}
    for operator in graph.operators:
        if operator.kind not in _KERNELS:
            raise ValueError(f"Operator {operator.kind} is not one that the digit model has.")
        arrays[operator.outputs[0]] = _KERNELS[operator.kind](graph, operator, arrays)
    return arrays[graph.outputs[0]]
