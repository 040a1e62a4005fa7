"""The same network without the norms that follow an activation: the next linear layer takes them over.

The converter merges a batch normalisation into the convolution before it, where one is. Behind a ReLU it stays, and
where units are dead their variance is 0: the norm multiplies them by up to 1/sqrt(epsilon), and int8's one scale for
the whole tensor is lost on them. But W(g x + s) + b is (W g) x + (b + W s), which leaves no such tensor.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_convert.keras_graph.traversal import is_merged, users

__all__ = ["folded"]

_AFFINE: Final = (
    layers.Dropout,
    layers.Flatten,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
)
_MONOTONE: Final = (layers.MaxPooling2D, layers.GlobalMaxPooling2D)
"""What a channel's gain and shift pass through unchanged: always, or where no gain is negative."""

Floats = NDArray[np.float64]


def folded(model: keras.Model) -> keras.Model:
    """The network, or a copy that computes the same without the norms that could be folded forward.

    A norm is folded when nothing but dropout, flattening and pooling lies between it and one ``Dense`` or unpadded
    convolution with a bias (padding with zeros would have to become padding with the shift).
    """
    targets = {layer.name: target for layer in model.layers if (target := _target(layer)) is not None}
    if not targets:
        return model

    def called(layer: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        return inputs if layer.name in targets else layer(inputs, *arguments, **options)

    copy = keras.models.clone_model(
        keras.Model(model.input, model.output, name=model.name),
        clone_function=lambda layer: type(layer).from_config(layer.get_config()),
        call_function=called,
    )
    for layer in copy.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    for name, target in targets.items():
        _take_over(copy.get_layer(target.name), *_gain_and_shift(model.get_layer(name)))
    return copy


def _target(norm: Any) -> Any | None:
    """The layer that a norm can be folded into."""
    if not isinstance(norm, layers.BatchNormalization) or not _is_alone(norm) or is_merged(norm):
        return None
    if norm.axis not in (-1, len(norm.output.shape) - 1):
        return None
    passed = _AFFINE + _MONOTONE if _gain_and_shift(norm)[0].min() > 0 else _AFFINE
    (layer,) = users(norm)
    while isinstance(layer, passed) and _is_alone(layer):
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        (layer,) = users(layer)
    return layer if _can_take_over(layer) else None


def _is_alone(layer: Any) -> bool:
    return len(layer._inbound_nodes) == 1 and len(users(layer)) == 1


def _can_take_over(layer: Any) -> bool:
    if len(layer._inbound_nodes) != 1:
        return False
    if type(layer) is layers.Conv2D:
        return bool(layer.use_bias) and layer.padding == "valid" and layer.groups == 1
    return isinstance(layer, layers.Dense) and bool(layer.use_bias)


def _gain_and_shift(norm: Any) -> tuple[Floats, Floats]:
    """What a norm multiplies each channel by and then adds to it, float64 (channels,)."""
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


def _take_over(layer: Any, gain: Floats, shift: Floats) -> None:
    kernel, bias = (value.astype(np.float64) for value in layer.get_weights())
    # Flattening repeats the channels for each position.
    repeats = kernel.shape[-2] // len(gain)
    gain, shift = np.tile(gain, repeats), np.tile(shift, repeats)
    added = np.tensordot(shift, kernel, (0, -2)).reshape(-1, len(bias)).sum(axis=0)
    layer.set_weights([kernel * gain[:, None], bias + added])
