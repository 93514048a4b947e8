"""Responsible for the floating-point network and its training, in plain numpy.

conv 3x3 stride 2 to 12 channels, ReLU; conv 3x3 stride 2 to 24 channels, ReLU; dense to 10. Layouts are the ones of the model file (NHWC
images, output-kernel-kernel-input weights, padding after the image only), so nothing has to be transposed on the way out.
"""

import numpy

KERNEL = 3
STRIDE = 2
CHANNELS = (12, 24)
CLASS_COUNT = 10
# SAME padding of an even side with stride 2 and kernel 3: one row and column, all of it after the image.
PADDING_AFTER = 1

_EPOCHS = 10
_BATCH = 64
_LEARNING_RATE_START = 3e-3
_WEIGHT_DECAY = 1e-4
_LABEL_SMOOTHING = 0.05
_DROPOUT = 0.2


def patches_of(images, padding_value=0):
    """(count, side, side, channels) to (count * half * half, 9 * channels), taps in the order of the weights."""
    count, side, _, channels = images.shape
    half = side // STRIDE
    padded = numpy.full((count, side + PADDING_AFTER, side + PADDING_AFTER, channels), padding_value, dtype=images.dtype)
    padded[:, :side, :side] = images
    patches = numpy.empty((count, half, half, KERNEL, KERNEL, channels), dtype=images.dtype)
    for row in range(KERNEL):
        for column in range(KERNEL):
            patches[:, :, :, row, column] = padded[:, row:row + side:STRIDE, column:column + side:STRIDE][:, :half, :half]
    return patches.reshape(count * half * half, -1)


def _images_from_patch_gradients(gradients, count, side, channels):
    """The transpose of patches_of: every pixel collects the gradients of the patches it was in."""
    half = side // STRIDE
    gradients = gradients.reshape(count, half, half, KERNEL, KERNEL, channels)
    padded = numpy.zeros((count, side + PADDING_AFTER, side + PADDING_AFTER, channels), dtype=gradients.dtype)
    for row in range(KERNEL):
        for column in range(KERNEL):
            padded[:, row:row + side:STRIDE, column:column + side:STRIDE][:, :half, :half] += gradients[:, :, :, row, column]
    return padded[:, :side, :side]


def initial_parameters(random, side):
    """He initialisation; biases zero."""
    flat = (side // STRIDE // STRIDE) ** 2 * CHANNELS[1]
    shapes = [(CHANNELS[0], KERNEL * KERNEL), (CHANNELS[1], KERNEL * KERNEL * CHANNELS[0]), (CLASS_COUNT, flat)]
    parameters = {}
    for name, (outputs, inputs) in zip(("first", "second", "dense"), shapes):
        parameters[f"{name}_weights"] = random.normal(0, numpy.sqrt(2 / inputs), size=(outputs, inputs)).astype(numpy.float32)
        parameters[f"{name}_bias"] = numpy.zeros(outputs, dtype=numpy.float32)
    return parameters


def forward(parameters, images):
    """Every stage's result for images in 0..1, shape (count, side, side, 1); the dense layer's results are logits."""
    count, side = images.shape[:2]
    stages = {"first_patches": patches_of(images)}
    first = stages["first_patches"] @ parameters["first_weights"].T + parameters["first_bias"]
    stages["first"] = numpy.maximum(first, 0).reshape(count, side // 2, side // 2, CHANNELS[0])
    stages["second_patches"] = patches_of(stages["first"])
    second = stages["second_patches"] @ parameters["second_weights"].T + parameters["second_bias"]
    stages["second"] = numpy.maximum(second, 0).reshape(count, -1)
    stages["logits"] = stages["second"] @ parameters["dense_weights"].T + parameters["dense_bias"]
    return stages


def _gradients(parameters, images, digits, random):
    """Gradients of the smoothed cross-entropy, with dropout before the dense layer."""
    count, side = images.shape[:2]
    stages = forward(parameters, images)
    keep = (random.random(stages["second"].shape, dtype=numpy.float32) >= _DROPOUT) * numpy.float32(1 / (1 - _DROPOUT))
    dropped = stages["second"] * keep
    logits = dropped @ parameters["dense_weights"].T + parameters["dense_bias"]
    shares = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    targets = numpy.full_like(shares, _LABEL_SMOOTHING / CLASS_COUNT)
    targets[numpy.arange(count), digits] += 1 - _LABEL_SMOOTHING
    loss = -float((targets * numpy.log(shares + 1e-9)).sum()) / count

    gradients = {}
    at_logits = (shares - targets) / count
    gradients["dense_weights"] = at_logits.T @ dropped
    gradients["dense_bias"] = at_logits.sum(axis=0)
    at_second = (at_logits @ parameters["dense_weights"]) * keep * (stages["second"] > 0)
    at_second = at_second.reshape(-1, CHANNELS[1])
    gradients["second_weights"] = at_second.T @ stages["second_patches"]
    gradients["second_bias"] = at_second.sum(axis=0)
    at_first = _images_from_patch_gradients(at_second @ parameters["second_weights"], count, side // 2, CHANNELS[0]) * (stages["first"] > 0)
    at_first = at_first.reshape(-1, CHANNELS[0])
    gradients["first_weights"] = at_first.T @ stages["first_patches"]
    gradients["first_bias"] = at_first.sum(axis=0)
    return loss, gradients


def train(images, digits, random, report):
    """Adam with a learning rate that falls to zero along a cosine. `report(epoch, epochs, loss)` is called after every epoch."""
    images = (images.astype(numpy.float32) / 255)[..., None]
    parameters = initial_parameters(random, images.shape[1])
    first_moments = {name: numpy.zeros_like(value) for name, value in parameters.items()}
    second_moments = {name: numpy.zeros_like(value) for name, value in parameters.items()}
    steps_per_epoch = len(images) // _BATCH
    steps = _EPOCHS * steps_per_epoch
    step = 0
    for epoch in range(_EPOCHS):
        order = random.permutation(len(images))
        losses = []
        for start in range(0, steps_per_epoch * _BATCH, _BATCH):
            chosen = order[start:start + _BATCH]
            loss, gradients = _gradients(parameters, images[chosen], digits[chosen], random)
            losses.append(loss)
            step += 1
            rate = _LEARNING_RATE_START * 0.5 * (1 + numpy.cos(numpy.pi * step / steps))
            for name, gradient in gradients.items():
                if name.endswith("weights"):
                    gradient = gradient + _WEIGHT_DECAY * parameters[name]
                first_moments[name] += 0.1 * (gradient - first_moments[name])
                second_moments[name] += 0.001 * (gradient * gradient - second_moments[name])
                direction = (first_moments[name] / (1 - 0.9 ** step)) / (numpy.sqrt(second_moments[name] / (1 - 0.999 ** step)) + 1e-8)
                parameters[name] -= (rate * direction).astype(numpy.float32)
        report(epoch + 1, _EPOCHS, sum(losses) / len(losses))
    return parameters
