"""Cross-layer equalization, which gives the channels of a tensor similar ranges.

This matters because an int8 tensor has a single scale for all channels. A channel can be divided by any s > 0 in the
layer that produces it and multiplied by s in the layer that uses it, if all operations in between preserve factors
(ReLU, pooling, sums of channels divided by the same s): M. Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", 2019, section 4.1. The per-channel scales of the weights absorb the division. See
docs/conversion.md for its measured effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_convert.keras_graph.activations import compute_outputs
from fer_convert.keras_graph.traversal import find_sources, find_users, is_merged

__all__ = ["equalize_layers"]

_MIN_SHARE: Final = 0.01  # a channel is enlarged at most a hundredfold; a dead channel stays dead
_BATCH: Final = 100
_LAST: Final = "channels_last"
_KEEPS_FACTORS: Final = (
    layers.ReLU,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.Flatten,
    layers.Dropout,
    layers.Add,
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Layers with shared channel factors, and the layers that use their outputs."""

    members: list[Any] = field(default_factory=list)
    users: list[Any] = field(default_factory=list)


def equalize_layers(model: keras.Model, images: NDArray[np.uint8]) -> keras.Model:
    """Return a copy of the network, with equal outputs but similar channel ranges.

    The ranges are measured on ``images``, uint8 (n, height, width, channels). Layers of an unknown kind, layers that
    are used twice, and the layers around them keep their weights.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for group in _find_groups(copy):
        factors = _compute_factors(copy, group, images)
        for layer in group.members:
            _divide_outputs(layer, factors)
        for layer in group.users:
            _multiply_inputs(layer, factors)
    return copy


def _find_groups(model: keras.Model) -> list[_Group]:
    """Find the groups in which channels can be scaled."""
    group_of = {layer.name: {layer.name} for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, _KEEPS_FACTORS):
            merged = set.union(
                group_of[layer.name], *(group_of[source.name] for source in find_sources(layer))
            )
            for name in merged:
                group_of[name] = merged
    found = []
    for names in {min(names): names for names in group_of.values()}.values():
        members = [model.get_layer(name) for name in sorted(names)]
        users = {
            user.name
            for name in names
            for user in find_users(model.get_layer(name))
            if not isinstance(user, _KEEPS_FACTORS)
        }
        group = _Group(members, [model.get_layer(name) for name in sorted(users)])
        if group.users and all(map(_can_divide, members)) and all(map(_can_multiply, group.users)):
            found.append(group)
    return found


def _can_divide(layer: Any) -> bool:
    if len(layer._inbound_nodes) != 1:
        return False
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.threshold
    if isinstance(layer, layers.BatchNormalization):
        return bool(layer.center and layer.scale) and is_merged(layer)
    if isinstance(layer, layers.Conv2D | layers.Dense):
        return layer.activation in (keras.activations.linear, keras.activations.relu)
    return isinstance(layer, _KEEPS_FACTORS) and getattr(layer, "data_format", _LAST) == _LAST


def _can_multiply(layer: Any) -> bool:
    single = len(layer._inbound_nodes) == 1
    return single and (
        isinstance(layer, layers.Dense) or (type(layer) is layers.Conv2D and layer.groups == 1)
    )


def _compute_factors(model: keras.Model, group: _Group, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the largest share of a tensor's range that each channel uses."""
    # A layer used only by a ReLU is fused with it, so its output is not a tensor of the file.
    real = [
        member for member in group.members if [type(user) for user in find_users(member)] != [layers.ReLU]
    ]
    watched = keras.Model(model.input, [member.output for member in real])
    channels = min(member.output.shape[-1] for member in real)  # flattening repeats them
    peaks = [np.zeros(channels, np.float32) for _ in real]
    for outputs in compute_outputs(watched, images, _BATCH):
        for peak, output in zip(peaks, outputs, strict=True):
            np.maximum(peak, np.abs(output).reshape(-1, channels).max(axis=0), out=peak)
    shares = np.max([peak / max(float(peak.max()), 1e-12) for peak in peaks], axis=0)
    return np.asarray(np.maximum(shares, _MIN_SHARE), np.float32)


def _divide_outputs(layer: Any, factors: NDArray[np.float32]) -> None:
    scaled: list[Any] = []
    if isinstance(layer, layers.BatchNormalization):
        scaled = [layer.gamma, layer.beta]
    elif isinstance(layer, layers.Conv2D | layers.Dense):
        scaled = [layer.kernel, layer.bias] if layer.use_bias else [layer.kernel]
    for variable in scaled:
        variable.assign(variable / factors)


def _multiply_inputs(layer: Any, factors: NDArray[np.float32]) -> None:
    repeated = np.tile(factors, layer.kernel.shape[-2] // len(factors))
    layer.kernel.assign(layer.kernel * repeated[:, None])
