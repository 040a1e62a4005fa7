"""Folding of batch norms after an activation into the next linear layer.

TensorFlow's converter merges a batch norm into the convolution directly before it, but keeps a norm after a ReLU. Dead
units have a variance of 0, so the norm multiplies them by up to 1/sqrt(epsilon), and the single int8 scale of the
whole tensor becomes far too coarse. As W(g x + s) + b = (W g) x + (b + W s), folding avoids this tensor.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_convert.keras_graph.traversal import find_users, is_merged

__all__ = ["fold_batch_norms"]

# Layers that preserve the gain and shift of a channel: always, or if no gain is negative.
_AFFINE: Final = (
    layers.Dropout,
    layers.Flatten,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
)
_MONOTONE: Final = (layers.MaxPooling2D, layers.GlobalMaxPooling2D)

Floats = NDArray[np.float64]


def fold_batch_norms(model: keras.Model) -> keras.Model:
    """Fold each batch norm into the next linear layer if this preserves the outputs.

    Returns a copy of the network, or the network itself if no norm can be folded. A norm is folded if only dropout,
    flattening and pooling are between it and a single ``Dense`` layer or unpadded convolution with a bias. (Zero
    padding would have to become padding with the shift.)
    """
    targets = {layer.name: target for layer in model.layers if (target := _find_target(layer)) is not None}
    if not targets:
        return model

    def call_layer(layer: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        return inputs if layer.name in targets else layer(inputs, *arguments, **options)

    copy = keras.models.clone_model(
        keras.Model(model.input, model.output, name=model.name),
        clone_function=lambda layer: type(layer).from_config(layer.get_config()),
        call_function=call_layer,
    )
    for layer in copy.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    for name, target in targets.items():
        _absorb(copy.get_layer(target.name), *_compute_gain_and_shift(model.get_layer(name)))
    return copy


def _find_target(norm: Any) -> Any | None:
    """Return the layer that a norm can be folded into, or None."""
    if not isinstance(norm, layers.BatchNormalization) or not _has_one_user(norm) or is_merged(norm):
        return None
    if norm.axis not in (-1, len(norm.output.shape) - 1):
        return None
    passed = _AFFINE + _MONOTONE if _compute_gain_and_shift(norm)[0].min() > 0 else _AFFINE
    (layer,) = find_users(norm)
    while isinstance(layer, passed) and _has_one_user(layer):
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        (layer,) = find_users(layer)
    return layer if _can_absorb(layer) else None


def _has_one_user(layer: Any) -> bool:
    return len(layer._inbound_nodes) == 1 and len(find_users(layer)) == 1


def _can_absorb(layer: Any) -> bool:
    if len(layer._inbound_nodes) != 1:
        return False
    if type(layer) is layers.Conv2D:
        return bool(layer.use_bias) and layer.padding == "valid" and layer.groups == 1
    return isinstance(layer, layers.Dense) and bool(layer.use_bias)


def _compute_gain_and_shift(norm: Any) -> tuple[Floats, Floats]:
    """Return the factor and offset of a norm for each channel, float64 (channels,)."""
    mean, variance = (
        keras.ops.convert_to_numpy(values).astype(np.float64)
        for values in (norm.moving_mean, norm.moving_variance)
    )
    gain = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        gain = gain * keras.ops.convert_to_numpy(norm.gamma)
    shift = -mean * gain
    if norm.center:
        shift = shift + keras.ops.convert_to_numpy(norm.beta)
    return gain, shift


def _absorb(layer: Any, gain: Floats, shift: Floats) -> None:
    kernel, bias = (value.astype(np.float64) for value in layer.get_weights())
    # Flattening repeats the channels for each position.
    repeats = kernel.shape[-2] // len(gain)
    gain, shift = np.tile(gain, repeats), np.tile(shift, repeats)
    added = np.tensordot(shift, kernel, (0, -2)).reshape(-1, len(bias)).sum(axis=0)
    layer.set_weights([kernel * gain[:, None], bias + added])
