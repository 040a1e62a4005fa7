"""Detection of a network's input range from its first operations."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_convert.tflite.flatbuffer import parse_model
from fer_edge.classification.input_range import (
    build_pixel_table,
    describe_mismatch,
    find_range,
    preserves_gray_levels,
)
from fer_edge.errors import ContractError
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE

__all__ = ["check_leading_layers"]

_NARROWEST: Final = 0.15  # smallest plausible difference between black and white after the leading layers

_Line = tuple[NDArray[np.float64], NDArray[np.float64]]


def check_leading_layers(network: bytes) -> None:
    """Raise ContractError if a network does not expect (pixel - 128) / 64.

    Only float networks are checked, and only clear contradictions are reported: the network quantizes its input to
    another range, or scales it to almost nothing, such as a network for 0…255 that starts with a factor of 1/255.
    Raises ModelError if the bytes are not a TFLite model.
    """
    schema, model = parse_model(network)
    graph = model.subgraphs[0]
    tensor = int(graph.inputs[0])
    if graph.tensors[tensor].type != schema.TensorType.FLOAT32:
        return
    line: _Line = (np.ones(1), np.zeros(1))  # slope and offset of y = slope * x + offset
    scaled = False
    while (operator := _find_only_consumer(graph, tensor)) is not None:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == schema.BuiltinOperator.QUANTIZE and not scaled:
            _check_quantization(schema, graph.tensors[operator.outputs[0]])
            return
        following = _apply(schema, model, graph, operator, kind, tensor, line)
        if following is None:
            break
        line, tensor, scaled = following, int(operator.outputs[0]), True
    if scaled and float(np.max(np.abs(line[0]))) * 255 / PIXEL_SCALE < _NARROWEST:
        raise ContractError(
            f"its first layers scale the input to {_format_range(line)}, so it {describe_mismatch([0.0], [1.0])}"
        )


def _check_quantization(schema: Any, tensor: Any) -> None:
    kinds: dict[int, type[np.integer[Any]]] = {
        schema.TensorType.INT8: np.int8,
        schema.TensorType.UINT8: np.uint8,
        schema.TensorType.INT16: np.int16,
    }
    kind, quantization = kinds.get(tensor.type), tensor.quantization
    if kind is None or quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return
    scale, zero_point = float(quantization.scale[0]), int(quantization.zeroPoint[0])
    if not preserves_gray_levels(build_pixel_table(kind, scale, zero_point)):
        mean, std = find_range(kind, scale, zero_point)
        raise ContractError(
            f"it quantizes its input with the scale {scale:.6g} and the zero point {zero_point}, so it "
            f"{describe_mismatch([mean], [std])}"
        )


def _find_only_consumer(graph: Any, tensor: int) -> Any | None:
    consumers = [
        operator for operator in graph.operators if operator.inputs is not None and tensor in operator.inputs
    ]
    return consumers[0] if len(consumers) == 1 else None


def _apply(
    schema: Any, model: Any, graph: Any, operator: Any, kind: int, tensor: int, line: _Line
) -> _Line | None:
    """Return the line after adding or multiplying a constant.

    Returns None for any other operator.
    """
    kinds = schema.BuiltinOperator
    if kind not in (kinds.MUL, kinds.DIV, kinds.ADD, kinds.SUB) or len(operator.inputs) != 2:
        return None
    if getattr(operator.builtinOptions, "fusedActivationFunction", 0):
        return None
    first = int(operator.inputs[0]) == tensor
    other = _read_constant(schema, model, graph.tensors[operator.inputs[1 if first else 0]])
    if other is None or (kind in (kinds.DIV, kinds.SUB) and not first):
        return None
    slope, offset = line
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind in (kinds.MUL, kinds.DIV):
            factor = other if kind == kinds.MUL else 1 / other
            return slope * factor, offset * factor
    return slope, offset + (other if kind == kinds.ADD else -other)


def _read_constant(schema: Any, model: Any, tensor: Any) -> NDArray[np.float64] | None:
    """Return the values of a constant, one for all channels or one per channel.

    Returns None if the tensor is not such a constant.
    """
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.FLOAT32:
        return None
    values = np.frombuffer(data.tobytes(), np.float32).astype(np.float64)
    return values if values.size in (1, 3) else None


def _format_range(line: _Line) -> str:
    slope, offset = line
    ends = [slope * (pixel - PIXEL_MEAN) / PIXEL_SCALE + offset for pixel in (0, 255)]
    return f"{np.min(ends):.3g} to {np.max(ends):.3g}"
