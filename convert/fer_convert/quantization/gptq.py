"""Weights rounded to int8 so that a layer's output, not each weight, comes out closest.

The converter rounds every weight to its nearest step. Here the weights of an output channel are rounded one after
another, and what rounding one spoils is made good by those still to come, as the layer's inputs correlate:
E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2023,
section 3. The bias then takes up the mean of what is left (M. Nagel et al., 2019, section 4.2). Scales, zero points
and operators stay. What it brings was measured: docs/conversion.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_convert.tflite.container import packed, parsed
from fer_edge.classification.preprocess import normalize
from fer_edge.errors import ConversionError

__all__ = ["rounded"]

_DAMPING: Final = 0.01  # of the inputs' mean variance, added to each: GPTQ, section 3.3
_BLOCK: Final = 128  # weights whose effect on later blocks is summed up
_POSITIONS: Final = 64  # places looked at in each picture, where a kernel has more
_BATCH: Final = 50  # pictures

Floats = NDArray[np.float64]
Progress = Callable[[str, Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution or fully connected operator, by the indices of its tensors.

    ``weights``: float64 (inputs, outputs), the inputs of a convolution in the order kernel row, column, channel.
    ``kernel`` is (rows, columns), None for a fully connected one; ``stride`` likewise; ``same`` is the padding.
    """

    source: int
    weights_index: int
    bias_index: int
    weights: Floats
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] = (1, 1)
    same: bool = False


def rounded(
    int8: bytes, float32: bytes, pictures: NDArray[np.uint8], progress: Progress = lambda _, steps: steps
) -> bytes:
    """The int8 network with its weights rounded anew.

    ``float32`` is the same network before quantization; ``pictures``, uint8 (n, height, width, channels), show
    how the inputs of its layers correlate. Raises ConversionError when the two are not the same network.
    """
    schema, model = parsed(int8)
    originals, targets = _layers(*parsed(float32)), _layers(schema, model)
    if [layer.weights.shape for layer in originals] != [layer.weights.shape for layer in targets]:
        raise ConversionError("expected the int8 network to have the layers of the float32 one, got others")
    observed = _observed(float32, originals, progress("Observing float32", pictures))
    for original, target, inputs in progress(
        "Rounding int8", list(zip(originals, targets, observed, strict=True))
    ):
        _round_layer(schema, model, original, target, inputs)
    return packed(schema, model)


def _round_layer(schema: Any, model: Any, original: _Layer, target: _Layer, inputs: _Inputs) -> None:
    tensors = model.subgraphs[0].tensors
    scale = tensors[target.weights_index].quantization.scale.astype(np.float64)
    steps = _steps(original.weights, inputs.covariance(), scale)
    _write(schema, model, target.weights_index, steps.T.astype(np.int8))
    if target.bias_index >= 0:
        left = inputs.mean() @ (original.weights - steps * scale)
        bias_scale = tensors[target.bias_index].quantization.scale.astype(np.float64)
        bias = _values(model, target.bias_index, np.int32) + np.rint(left / bias_scale)
        _write(schema, model, target.bias_index, bias.astype(np.int32))


def _steps(weights: Floats, covariance: Floats, scale: Floats) -> Floats:
    """Whole numbers in -127…127, (inputs, outputs), which times ``scale`` stand for the weights."""
    count = len(weights)
    damped = covariance + (_DAMPING * np.diag(covariance).mean() + 1e-12) * np.eye(count)
    # Row i says how the error of weight i is spread over those after it.
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


class _Inputs:
    """Mean and covariance of what a layer's kernel is multiplied with."""

    def __init__(self, layer: _Layer) -> None:
        count = len(layer.weights)
        self._layer = layer
        self._rows = 0
        self._sum, self._products = np.zeros(count), np.zeros((count, count))

    def add(self, tensors: NDArray[np.float32], seed: int) -> None:
        """Take in the layer's input for some pictures, float32 (pictures, ...)."""
        rows = _patches(self._layer, tensors, seed).astype(np.float64)
        self._rows += len(rows)
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    def mean(self) -> Floats:
        """float64 (inputs,)."""
        return self._sum / self._rows

    def covariance(self) -> Floats:
        """float64 (inputs, inputs), drawn towards its diagonal as far as few rows leave the rest uncertain."""
        mean = self.mean()
        found = self._products / self._rows - np.outer(mean, mean)
        doubt = len(mean) / (len(mean) + self._rows)
        return np.asarray((1 - doubt) * found + doubt * np.diag(found.diagonal()))


def _patches(layer: _Layer, tensors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """What the kernel meets, (rows, inputs), at up to ``_POSITIONS`` random places of each picture."""
    if layer.kernel is None:
        return tensors.reshape(-1, len(layer.weights))
    if layer.same:
        sides = (
            _padding(size, kernel, stride)
            for size, kernel, stride in zip(tensors.shape[1:3], layer.kernel, layer.stride, strict=True)
        )
        tensors = np.pad(tensors, ((0, 0), *sides, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(tensors, layer.kernel, axis=(1, 2))
    windows = windows[:, :: layer.stride[0], :: layer.stride[1]]
    places = np.random.default_rng(seed).permutation(windows.shape[1] * windows.shape[2])[:_POSITIONS]
    chosen = windows[:, places // windows.shape[2], places % windows.shape[2]]
    return np.moveaxis(chosen, 2, -1).reshape(-1, len(layer.weights))


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's ``same`` padding, before and after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _observed(float32: bytes, watched: list[_Layer], pictures: Iterable[NDArray[np.uint8]]) -> list[_Inputs]:
    """The inputs of each layer over the pictures."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=float32,
        num_threads=2,
        # A delegate would keep to itself what lies between the layers.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    inputs = [_Inputs(layer) for layer in watched]
    for number, batch in enumerate(_batches(pictures)):
        seen: list[list[NDArray[np.float32]]] = [[] for _ in watched]
        for picture in batch:
            interpreter.set_tensor(source, normalize(picture)[None])
            interpreter.invoke()
            for layer, values in zip(watched, seen, strict=True):
                values.append(interpreter.get_tensor(layer.source))
        for layer_inputs, values in zip(inputs, seen, strict=True):
            layer_inputs.add(np.concatenate(values), number)
    return inputs


def _batches(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    remaining = iter(pictures)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _layers(schema: Any, model: Any) -> list[_Layer]:
    """The operators with constant weights that are rounded, in the network's order."""
    found = []
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.CONV_2D:
            layer = _convolution(schema, model, operator)
        elif code == schema.BuiltinOperator.FULLY_CONNECTED:
            layer = _fully_connected(model, operator)
        else:
            continue
        if layer is not None:
            found.append(layer)
    return found


def _convolution(schema: Any, model: Any, operator: Any) -> _Layer | None:
    source, weights, bias = _operands(operator)
    options, tensors = operator.builtinOptions, model.subgraphs[0].tensors
    outputs, rows, columns, channels = tensors[weights].shape
    is_plain = (options.dilationHFactor, options.dilationWFactor) == (1, 1)
    if not is_plain or channels != tensors[source].shape[3]:  # dilated or grouped
        return None
    return _Layer(
        source,
        weights,
        bias,
        _constant(model, weights).reshape(outputs, -1).T,
        (int(rows), int(columns)),
        (options.strideH, options.strideW),
        options.padding == schema.Padding.SAME,
    )


def _fully_connected(model: Any, operator: Any) -> _Layer | None:
    source, weights, bias = _operands(operator)
    return _Layer(source, weights, bias, _constant(model, weights).T)


def _operands(operator: Any) -> tuple[int, int, int]:
    source, weights, *rest = (int(index) for index in operator.inputs)
    return source, weights, rest[0] if rest else -1


def _constant(model: Any, index: int) -> Floats:
    tensor = model.subgraphs[0].tensors[index]
    kind = (
        np.int8 if tensor.quantization is not None and tensor.quantization.scale is not None else np.float32
    )
    return _values(model, index, kind).reshape(tensor.shape).astype(np.float64)


def _values(model: Any, index: int, kind: Any) -> NDArray[Any]:
    return np.frombuffer(model.buffers[model.subgraphs[0].tensors[index].buffer].data.tobytes(), kind)


def _write(schema: Any, model: Any, index: int, values: NDArray[Any]) -> None:
    tensors = model.subgraphs[0].tensors
    content = schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8))
    place = tensors[index].buffer
    if sum(tensor.buffer == place for tensor in tensors) == 1:
        model.buffers[place] = content
    else:  # the converter lets equal constants share a buffer
        tensors[index].buffer = len(model.buffers)
        model.buffers.append(content)
