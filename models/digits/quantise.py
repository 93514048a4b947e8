"""Responsible for turning the trained network into an int8 graph, by TensorFlow Lite's rules for post-training full-integer quantisation.

Activations: int8 with a scale and a zero point, from the range seen on calibration drawings. Convolution weights: symmetric, one scale per
output channel; dense weights: symmetric, one scale. Biases: int32 at the product of the input's and the weights' scale.
"""

import numpy

import network
from graph import Graph, Operator, Tensor
from integer_model import ACTIVATION_NONE, ACTIVATION_RELU, INT8_MAX, INT8_MIN, PADDING_SAME

DESCRIPTION = "Naru digits: 28x28 greyscale to 0-9, int8, trained on drawings made from fonts"

# The image's byte minus 128: the raw greyscale picture, 0 to 255, needs no arithmetic to become the input.
_INPUT_SCALE, _INPUT_ZERO_POINT = numpy.float32(1 / 255), INT8_MIN
# What the format fixes for the output of int8 softmax.
_SOFTMAX_SCALE, _SOFTMAX_ZERO_POINT = numpy.float32(1 / 256), INT8_MIN
# Operator versions: the first ones that have int8 with per-channel weights (convolution), int8 with a scale of its own for the
# output (fully connected), int8 (softmax).
_CONVOLUTION_VERSION, _FULLY_CONNECTED_VERSION, _SOFTMAX_VERSION, _RESHAPE_VERSION = 3, 4, 2, 1


def _activation_parameters(values):
    """Scale and zero point of a range; it must hold 0, so that a zero is exact."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = numpy.float32((high - low) / (INT8_MAX - INT8_MIN))
    return scale, int(numpy.rint(INT8_MIN - low / float(scale)))


def _weight_tensor(name, weights, shape, per_channel):
    magnitude = numpy.abs(weights).max(axis=1) if per_channel else numpy.abs(weights).max(keepdims=True).reshape(1)
    # The range is narrow (-127 to 127), as the format demands of symmetric weights.
    scales = (magnitude / INT8_MAX).astype(numpy.float32)
    data = numpy.clip(numpy.rint(weights / scales[:, None]), -INT8_MAX, INT8_MAX).astype(numpy.int8)
    return Tensor(name, shape, numpy.dtype(numpy.int8), scales, (0,) * len(scales), 0, data.reshape(shape))


def _bias_tensor(name, bias, input_scale, weight_scales):
    scales = (input_scale * weight_scales).astype(numpy.float32)
    data = numpy.rint(bias.astype(numpy.float64) / scales).astype(numpy.int32)
    return Tensor(name, bias.shape, numpy.dtype(numpy.int32), scales, (0,) * len(scales), 0, data)


def quantise(parameters, calibration_images):
    """The int8 graph. Calibration images (uint8) only set the ranges of the activations."""
    stages = network.forward(parameters, (calibration_images.astype(numpy.float32) / 255)[..., None])
    side = calibration_images.shape[1]
    tensors = []

    def add(tensor):
        tensors.append(tensor)
        return len(tensors) - 1

    def add_activation(name, shape, scale, zero_point):
        return add(Tensor(name, shape, numpy.dtype(numpy.int8), numpy.array([scale], numpy.float32), (zero_point,)))

    operators = []
    current = image = add_activation("image", (1, side, side, 1), _INPUT_SCALE, _INPUT_ZERO_POINT)
    depth = 1
    for name, channels in zip(("first", "second"), network.CHANNELS):
        weights = _weight_tensor(f"{name}_weights", parameters[f"{name}_weights"], (channels, network.KERNEL, network.KERNEL, depth), True)
        bias = _bias_tensor(f"{name}_bias", parameters[f"{name}_bias"], tensors[current].scales[0], weights.scales)
        side, depth = side // network.STRIDE, channels
        inputs = (current, add(weights), add(bias))
        current = add_activation(f"{name}_convolution", (1, side, side, depth), *_activation_parameters(stages[name]))
        operators.append(Operator("CONV_2D", _CONVOLUTION_VERSION, inputs, (current,), {
            "padding": PADDING_SAME, "stride_w": network.STRIDE, "stride_h": network.STRIDE, "fused_activation_function": ACTIVATION_RELU,
            "dilation_w_factor": 1, "dilation_h_factor": 1}))

    flat = (1, side * side * depth)
    wanted = add(Tensor("flat_shape", (2,), numpy.dtype(numpy.int32), data=numpy.array(flat, numpy.int32)))
    # Byte movement only: the scale stays.
    reshaped = add_activation("flat", flat, tensors[current].scales[0], tensors[current].zero_points[0])
    operators.append(Operator("RESHAPE", _RESHAPE_VERSION, (current, wanted), (reshaped,), {"new_shape": list(flat)}))

    weights = _weight_tensor("dense_weights", parameters["dense_weights"], parameters["dense_weights"].shape, False)
    bias = _bias_tensor("dense_bias", parameters["dense_bias"], tensors[reshaped].scales[0], weights.scales)
    inputs = (reshaped, add(weights), add(bias))
    logits = add_activation("logits", (1, network.CLASS_COUNT), *_activation_parameters(stages["logits"]))
    operators.append(Operator("FULLY_CONNECTED", _FULLY_CONNECTED_VERSION, inputs, (logits,), {
        "fused_activation_function": ACTIVATION_NONE, "weights_format": 0, "keep_num_dims": False, "asymmetric_quantize_inputs": False}))

    probabilities = add_activation("probabilities", (1, network.CLASS_COUNT), _SOFTMAX_SCALE, _SOFTMAX_ZERO_POINT)
    operators.append(Operator("SOFTMAX", _SOFTMAX_VERSION, (logits,), (probabilities,), {"beta": 1.0}))
    return Graph(tensors, operators, (image,), (probabilities,), description=DESCRIPTION)
