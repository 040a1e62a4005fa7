"""Recovery of a Keras network from a ``.tflite`` file, with dequantized weights.

A converted file has no batch norms: they are folded into the convolutions before them. In the recovered network, the
convolutions have the folded weights, and the batch norms are the identity with the folded bias as their shift. For
the bundled int8 model, the recovered network is as accurate as the file: ``python -m experiments.own_photos recovery``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.classification.interpreter import open_interpreter
from fer_edge.errors import ModelError
from fer_edge.models.find_model import ModelFile
from fer_train.models.architecture import Architecture
from fer_train.models.prediction import predict, wrap_classifier

if TYPE_CHECKING:
    import keras

__all__ = ["recover_network"]

_LINEAR: Final = frozenset({"CONV_2D", "FULLY_CONNECTED"})
_PROBES: Final = 16
_CLOSE: Final = 0.05
"""Largest mean difference of probabilities that counts as equal; int8 files reach 0.01."""

Weights = NDArray[np.float32]


def recover_network(model: ModelFile, arch: Architecture) -> keras.Model:
    """Build the network of an architecture with the weights of a ``.tflite`` file.

    The result is compared with the file on images of noise and shades. Raises ModelError if the file does not have
    this architecture or its weights cannot be read.
    """
    network = arch.build(len(model.spec.labels))
    layers = [layer for layer in network.layers if _is_linear(layer)]
    weights = _read_linear_weights(model)
    if [_kernel_shape(layer) for layer in layers] != [kernel.shape for kernel, _ in weights]:
        raise ModelError(
            f"{model.path}: its layers differ from those of {model.spec.name}, so its weights cannot be used; "
            "use the run folder or the .keras file that it was converted from"
        )
    _reset_norms(network)
    for layer, (kernel, bias) in zip(layers, weights, strict=True):
        _set_weights(network, layer, kernel, bias)
    _compare(network, model)
    return network


def _read_linear_weights(model: ModelFile) -> list[tuple[Weights, Weights]]:
    """Read the kernels and biases of all convolutions and dense layers.

    Kernels are in the axis order of Keras.
    """
    interpreter = open_interpreter(model.path, threads=1)
    found = []
    try:
        details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
        for operator in interpreter._get_ops_details():
            if operator["op_name"] not in _LINEAR:
                continue
            _, kernel, bias = (int(index) for index in operator["inputs"])
            values = _dequantize(interpreter.get_tensor(kernel), details[kernel])
            axes = (1, 2, 3, 0) if values.ndim == 4 else (1, 0)
            found.append((values.transpose(axes), _dequantize(interpreter.get_tensor(bias), details[bias])))
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"{model.path}: cannot read its weights ({error}); use a float32 or int8 file, or the run folder"
        ) from error
    return found


def _dequantize(values: NDArray[Any], tensor: dict[str, Any]) -> Weights:
    quantization = tensor["quantization_parameters"]
    scales, zeros = quantization["scales"], quantization["zero_points"]
    if not len(scales):
        return values.astype(np.float32)
    shape = [1] * values.ndim
    if len(scales) > 1:
        shape[quantization["quantized_dimension"]] = len(scales)
    shifted = values.astype(np.float64) - zeros.reshape(shape)
    return np.asarray(shifted * scales.reshape(shape), np.float32)


def _is_linear(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)


def _kernel_shape(layer: Any) -> tuple[int, ...]:
    return tuple(layer.kernel.shape)


def _reset_norms(network: keras.Model) -> None:
    """Set each batch norm to the identity."""
    import keras

    for norm in network.layers:
        if isinstance(norm, keras.layers.BatchNormalization):
            ones = np.ones(norm.gamma.shape, np.float32)
            norm.set_weights([ones, 0 * ones, 0 * ones, (1 - norm.epsilon) * ones])


def _set_weights(network: keras.Model, layer: Any, kernel: Weights, bias: Weights) -> None:
    if layer.use_bias:
        layer.set_weights([kernel, bias])
        return
    layer.set_weights([kernel])
    (norm,) = [user.operation for user in layer._outbound_nodes]
    gamma, _, mean, variance = norm.get_weights()
    norm.set_weights([gamma, bias, mean, variance])


def _compare(network: keras.Model, model: ModelFile) -> None:
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 256, (_PROBES, 3, 3)).repeat(16, axis=1).repeat(16, axis=2)
    images = np.clip(shades + rng.normal(0, 20, shades.shape), 0, 255).astype(np.uint8)
    with Classifier(model) as classifier:
        expected = predict(wrap_classifier(classifier), images)
    if np.abs(predict(network, images) - expected).mean() > _CLOSE:
        raise ModelError(
            f"{model.path}: {model.spec.name} with the weights of this file predicts something different; use the "
            "run folder or the .keras file that it was converted from"
        )
