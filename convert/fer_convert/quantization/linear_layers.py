"""Convolutions and fully connected operators of a TFLite network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinearLayer", "find_linear_layers", "read_tensor", "write_tensor"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearLayer:
    """A convolution or fully connected operator and the indices of its tensors.

    ``source`` is the index of the input tensor; ``bias_index`` is -1 if there is no bias. ``weights`` is float64
    (inputs, outputs) as stored, without the scale of an int8 tensor; the inputs of a convolution are in the order
    kernel row, column, channel. ``kernel`` is (rows, columns), or None for a fully connected operator. ``stride`` is
    (rows, columns), and ``same_padding`` is True for ``same`` padding.
    """

    source: int
    weights_index: int
    bias_index: int
    weights: Floats
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] = (1, 1)
    same_padding: bool = False


def find_linear_layers(schema: Any, model: Any) -> list[LinearLayer]:
    """Find the operators whose constant weights can be rounded, in order.

    Skips dilated, grouped and depthwise convolutions.
    """
    found = []
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.CONV_2D:
            layer = _read_convolution(schema, model, operator)
        elif code == schema.BuiltinOperator.FULLY_CONNECTED:
            layer = _read_fully_connected(model, operator)
        else:
            continue
        if layer is not None:
            found.append(layer)
    return found


def read_tensor(model: Any, index: int, dtype: Any) -> NDArray[Any]:
    """Read the content of a constant tensor, flat, as ``dtype``."""
    return np.frombuffer(model.buffers[model.subgraphs[0].tensors[index].buffer].data.tobytes(), dtype)


def write_tensor(schema: Any, model: Any, index: int, values: NDArray[Any]) -> None:
    """Replace the content of a constant tensor.

    Other tensors that share its buffer do not change.
    """
    tensors = model.subgraphs[0].tensors
    content = schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8))
    buffer = tensors[index].buffer
    if sum(tensor.buffer == buffer for tensor in tensors) == 1:
        model.buffers[buffer] = content
    else:  # the converter lets equal constants share a buffer
        tensors[index].buffer = len(model.buffers)
        model.buffers.append(content)


def _read_convolution(schema: Any, model: Any, operator: Any) -> LinearLayer | None:
    source, weights, bias = _read_operands(operator)
    options, tensors = operator.builtinOptions, model.subgraphs[0].tensors
    outputs, rows, columns, channels = tensors[weights].shape
    is_plain = (options.dilationHFactor, options.dilationWFactor) == (1, 1)
    if not is_plain or channels != tensors[source].shape[3]:  # dilated or grouped
        return None
    return LinearLayer(
        source,
        weights,
        bias,
        _read_weights(model, weights).reshape(outputs, -1).T,
        (int(rows), int(columns)),
        (options.strideH, options.strideW),
        options.padding == schema.Padding.SAME,
    )


def _read_fully_connected(model: Any, operator: Any) -> LinearLayer | None:
    source, weights, bias = _read_operands(operator)
    return LinearLayer(source, weights, bias, _read_weights(model, weights).T)


def _read_operands(operator: Any) -> tuple[int, int, int]:
    source, weights, *rest = (int(index) for index in operator.inputs)
    return source, weights, rest[0] if rest else -1


def _read_weights(model: Any, index: int) -> Floats:
    tensor = model.subgraphs[0].tensors[index]
    is_quantized = tensor.quantization is not None and tensor.quantization.scale is not None
    values = read_tensor(model, index, np.int8 if is_quantized else np.float32)
    return values.reshape(tensor.shape).astype(np.float64)
