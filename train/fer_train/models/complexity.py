"""The complexity of a network: its parameters, and the multiply-adds for one face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras

__all__ = ["Complexity", "measure_complexity"]


@dataclass(frozen=True, slots=True)
class Complexity:
    """``parameters`` counts all weights, batch-norm statistics included; ``macs`` multiply-adds a face."""

    parameters: int
    macs: int


def measure_complexity(model: keras.Model) -> Complexity:
    """Count what a network costs that is made of convolutions and dense layers; all else is small beside them."""
    return Complexity(
        model.count_params(), sum(_count_macs(layer) for layer in model._flatten_layers(include_self=False))
    )


def _count_macs(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
        # A kernel's every weight is used once at each place of the output.
        height, width = layer.output.shape[1:3]
        return int(math.prod(layer.kernel.shape) * height * width)
    return 0
