"""Inspection of a TFLite network: operators, number types, input quantization."""

from __future__ import annotations

from typing import Any

from fer_convert.tflite.flatbuffer import parse_model
from fer_edge.errors import ConversionError
from fer_edge.models.spec import PIXEL_SCALE, Variant

__all__ = [
    "check_calibratable",
    "check_network",
    "detect_variant",
    "list_operators",
    "read_input_quantization",
]


def list_operators(network: bytes) -> tuple[str, ...]:
    """List the names of a network's operators, sorted.

    Custom operators are listed as ``CUSTOM:name``. Raises ModelError if the bytes are not a TFLite model.
    """
    schema, model = parse_model(network)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return tuple(sorted(_find_operator_name(names, code) for code in model.operatorCodes))


def detect_variant(network: bytes) -> Variant:
    """Detect the variant of a network from the types of its tensors.

    Returns ``int8`` for any network with integer input and output, also uint8 or int16. Raises ModelError if the bytes
    are not a TFLite model.
    """
    schema, model = parse_model(network)
    graph = model.subgraphs[0]
    kinds = schema.TensorType
    integers = {kinds.INT8, kinds.UINT8, kinds.INT16}
    if all(graph.tensors[i].type in integers for i in (*graph.inputs, *graph.outputs)):
        return "int8"
    constants = {tensor.type for tensor in graph.tensors if model.buffers[tensor.buffer].data is not None}
    if kinds.INT8 in constants:
        return "dynamic"
    return "float16" if kinds.FLOAT16 in constants else "float32"


def read_input_quantization(network: bytes) -> tuple[float, int]:
    """Read the scale and the zero point of a network's input.

    Both are 0 for a float input. Raises ModelError if the bytes are not a TFLite model.
    """
    _, model = parse_model(network)
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    if quantization is None or quantization.scale is None:
        return 0.0, 0
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


def check_network(network: bytes, variant: Variant, name: str) -> None:
    """Raise ConversionError unless a network is of the variant.

    It must also have only built-in operators. An int8 input must have the scale 1/64 and the zero point 0. ``name``
    names the network in messages.
    """
    custom = [operator for operator in list_operators(network) if operator.startswith("CUSTOM:")]
    if custom:
        raise ConversionError(
            f"{name}: the converted network needs operators that are not built into TFLite: "
            f"{', '.join(custom)}; use other layers"
        )
    got = detect_variant(network)
    if got != variant:
        raise ConversionError(f"{name}: expected {variant} tensors, but the converter created {got} tensors")
    if variant == "int8":
        scale, zero_point = read_input_quantization(network)
        if (scale, zero_point) != (1 / PIXEL_SCALE, 0):
            raise ConversionError(
                f"{name}: expected an int8 input of scale 1/{PIXEL_SCALE} and zero point 0, "
                f"got {scale:g} and {zero_point}"
            )


def check_calibratable(network: bytes, name: str) -> None:
    """Raise ConversionError if a network has control flow, which crashes the calibration of int8.

    ``name`` names the network in messages.
    """
    _, model = parse_model(network)
    if len(model.subgraphs) > 1:  # the bodies of loops and branches
        raise ConversionError(
            f"{name}: cannot convert to int8, because the network has a loop, as in a recurrent layer, or a branch; "
            "create recurrent layers with unroll=True, or convert to float32 only"
        )


def _find_operator_name(names: dict[int, str], code: Any) -> str:
    if code.customCode is not None:
        return f"CUSTOM:{code.customCode.decode(errors='replace')}"
    # Operator codes above 127 are only in the newer field, others in both.
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]
