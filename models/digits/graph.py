"""Responsible for the words that the quantiser, the model file and the integer arithmetic share: a quantised graph as plain data."""

from dataclasses import dataclass, field

import numpy


@dataclass
class Tensor:
    """scales has one entry, or one per output channel (then channel_axis says which axis); constants carry data, activations None."""

    name: str
    shape: tuple
    dtype: numpy.dtype
    scales: numpy.ndarray = field(default_factory=lambda: numpy.zeros(0, numpy.float32))
    zero_points: tuple = ()
    channel_axis: int = 0
    data: numpy.ndarray = None


@dataclass
class Operator:
    """kind is the format's own name, CONV_2D for instance; options are the format's fields by name, enumerators as numbers."""

    kind: str
    version: int
    inputs: tuple
    outputs: tuple
    options: dict


@dataclass
class Graph:
    tensors: list
    operators: list
    inputs: tuple
    outputs: tuple
    name: str = "main"
    description: str = ""
