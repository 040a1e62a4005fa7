"""GPTQ: rounding of int8 weights that minimizes the error of a layer's output.

TensorFlow's converter rounds every weight to the nearest step. GPTQ rounds the weights of an output channel one after
the other, and uses the correlation of the layer's inputs to compensate for the error with the weights not rounded yet:
E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2023, section
3. The bias then absorbs the mean of the remaining error (M. Nagel et al., 2019, section 4.2). Scales, zero points and
operators do not change. See docs/conversion.md for its measured effect.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_convert.quantization.layer_inputs import InputStatistics, observe_inputs
from fer_convert.quantization.linear_layers import LinearLayer, find_linear_layers, read_tensor, write_tensor
from fer_convert.tflite.flatbuffer import pack_model, parse_model
from fer_edge.errors import ConversionError
from fer_train.models.prediction import Progress, no_progress

__all__ = ["apply_gptq"]

_DAMPING: Final = 0.01  # share of the inputs' mean variance added to each variance: GPTQ, section 3.3
_BLOCK: Final = 128  # weights whose effect on later blocks is applied together

Floats = NDArray[np.float64]


def apply_gptq(
    int8: bytes, float32: bytes, images: NDArray[np.uint8], progress: Progress = no_progress
) -> bytes:
    """Round the weights of an int8 network with GPTQ.

    Returns the bytes of the new network. ``float32`` is the same network before quantization. The correlation of layer
    inputs is measured on ``images``, uint8 (n, height, width, channels). Raises ConversionError if the two networks
    have different layers, ModelError if one of them is not a TFLite model.
    """
    schema, model = parse_model(int8)
    originals, targets = find_linear_layers(*parse_model(float32)), find_linear_layers(schema, model)
    if [layer.weights.shape for layer in originals] != [layer.weights.shape for layer in targets]:
        raise ConversionError(
            "the int8 network and the float32 network have different layers; convert both from the same network"
        )
    statistics = observe_inputs(float32, originals, progress("Observing float32", images))
    layers = list(zip(originals, targets, statistics, strict=True))
    for original, target, inputs in progress("Rounding int8", layers):
        _round_layer(schema, model, original, target, inputs)
    return pack_model(schema, model)


def _round_layer(
    schema: Any, model: Any, original: LinearLayer, target: LinearLayer, inputs: InputStatistics
) -> None:
    tensors = model.subgraphs[0].tensors
    scale = tensors[target.weights_index].quantization.scale.astype(np.float64)
    steps = _round_weights(original.weights, inputs.compute_covariance(), scale)
    write_tensor(schema, model, target.weights_index, steps.T.astype(np.int8))
    if target.bias_index >= 0:
        remaining = inputs.compute_mean() @ (original.weights - steps * scale)
        bias_scale = tensors[target.bias_index].quantization.scale.astype(np.float64)
        bias = read_tensor(model, target.bias_index, np.int32) + np.rint(remaining / bias_scale)
        write_tensor(schema, model, target.bias_index, bias.astype(np.int32))


def _round_weights(weights: Floats, covariance: Floats, scale: Floats) -> Floats:
    """Compute the rounded weights as integers -127…127, (inputs, outputs).

    Multiplied by ``scale``, they replace the weights.
    """
    count = len(weights)
    damped = covariance + (_DAMPING * np.diag(covariance).mean() + 1e-12) * np.eye(count)
    # Row i distributes the error of weight i over the weights after it.
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    weights, steps = weights.copy(), np.empty_like(weights)
    for start in range(0, count, _BLOCK):
        end = min(count, start + _BLOCK)
        errors = np.empty((end - start, weights.shape[1]))
        for i in range(start, end):
            steps[i] = np.clip(np.rint(weights[i] / scale), -127, 127)
            errors[i - start] = (weights[i] - steps[i] * scale) / spread[i, i]
            weights[i + 1 : end] -= np.outer(spread[i, i + 1 : end], errors[i - start])
        weights[end:] -= spread[start:end, end:].T @ errors
    return steps
