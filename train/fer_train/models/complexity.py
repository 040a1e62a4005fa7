"""Complexity of a network: its parameters and multiply-adds per face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras

__all__ = ["Complexity", "measure_complexity"]


@dataclass(frozen=True, slots=True)
class Complexity:
    """Size of a network.

    ``parameters`` is the number of all weights, including batch norm statistics, ``macs`` of multiply-adds per face.
    """

    parameters: int
    macs: int


def measure_complexity(model: keras.Model) -> Complexity:
    """Count the parameters and multiply-adds of a network.

    Only convolutions and dense layers count towards the multiply-adds.
    """
    return Complexity(
        model.count_params(), sum(_count_macs(layer) for layer in model._flatten_layers(include_self=False))
    )


def _count_macs(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
        # Each weight of a kernel is used once per output pixel.
        height, width = layer.output.shape[1:3]
        return int(math.prod(layer.kernel.shape) * height * width)
    return 0
