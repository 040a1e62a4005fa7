"""Check a network's input and output tensors against its model spec.

Every contradiction is reported with its remedy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from fer_edge.classification.input_range import (
    GUIDE,
    build_pixel_table,
    describe_mismatch,
    find_range,
    preserves_gray_levels,
)
from fer_edge.errors import ContractError
from fer_edge.models.spec import ModelSpec

__all__ = ["check_input", "check_output", "fits_free_size"]

_INTEGERS: Final = (np.int8, np.uint8, np.int16)
_CHANNELS: Final = (1, 3)

_Tensor = dict[str, Any]


def check_input(tensors: Sequence[_Tensor], spec: ModelSpec, path: Path) -> None:
    """Raise ContractError unless there is one input, which the spec can feed.

    ``tensors`` are the interpreter's input details.
    """
    if len(tensors) != 1:
        raise ContractError(
            f"{path}: the network has {len(tensors)} inputs: {_list_tensors(tensors)}; use a network whose only "
            "input is the image of a face"
        )
    (tensor,) = tensors
    expected = (1, spec.height, spec.width, spec.channels)
    if _shape(tensor) != expected and not fits_free_size(tensor, spec):
        raise ContractError(
            f"{path}: the spec describes an input of {expected}, but the tensor has {_shape(tensor, free=True)}: "
            f"{_explain_shape(tensor, spec)}"
        )
    _check_input_type(tensor, path)


def check_output(tensors: Sequence[_Tensor], spec: ModelSpec, path: Path) -> None:
    """Raise ContractError unless there is one output with a value for each label.

    ``tensors`` are the interpreter's output details.
    """
    if len(tensors) != 1:
        raise ContractError(
            f"{path}: the network has {len(tensors)} outputs: {_list_tensors(tensors)}; convert only the output "
            f"with the emotions, for example keras.Model(model.input, model.outputs[0]) ({GUIDE})"
        )
    (tensor,) = tensors
    shape, count = _shape(tensor), len(spec.labels)
    if math.prod(shape) != count or max(shape, default=1) != count:
        raise ContractError(
            f"{path}: the spec names {count} labels ({', '.join(spec.labels)}), but the output has shape "
            f"{shape}: {_explain_outputs(shape, count)}"
        )
    kind = tensor["dtype"]
    if kind is np.float32 or (kind in _INTEGERS and tensor["quantization"][0]):
        return
    what = "without a scale" if kind in _INTEGERS else "that cannot be probabilities"
    raise ContractError(
        f"{path}: the output consists of {np.dtype(kind).name} values {what}; "
        "convert it with a float32 output that ends with a softmax, without argmax"
    )


def fits_free_size(tensor: _Tensor, spec: ModelSpec) -> bool:
    """Return whether an input of open size accepts the spec's size."""
    wanted, free = (1, spec.height, spec.width, spec.channels), tensor["shape_signature"]
    return len(free) == len(wanted) and all(
        length in (-1, want) for length, want in zip(free, wanted, strict=True)
    )


def _check_input_type(tensor: _Tensor, path: Path) -> None:
    kind = tensor["dtype"]
    if kind is np.float32:
        return
    if kind not in _INTEGERS:
        raise ContractError(
            f"{path}: the input takes {np.dtype(kind).name} values; convert it with a float32, int8 or uint8 input"
        )
    name = np.dtype(kind).name
    scale, zero_point = tensor["quantization"]
    if not scale:
        if kind is not np.uint8:
            raise ContractError(
                f"{path}: the {name} input has no scale and zero point, so the meaning of its values is unknown; "
                "convert it again with a float32 input, or quantize it with calibration images"
            )
        raise ContractError(f"{path}: the uint8 input {describe_mismatch([0.0], [1.0])}")
    if not preserves_gray_levels(build_pixel_table(kind, scale, zero_point)):
        mean, std = find_range(kind, scale, zero_point)
        raise ContractError(
            f"{path}: the {name} input with scale {scale:.6g} and zero point {zero_point} "
            f"{describe_mismatch([mean], [std])}"
        )


def _explain_shape(tensor: _Tensor, spec: ModelSpec) -> str:
    shape = _shape(tensor, free=True)
    size = (spec.height, spec.width)
    if len(shape) != 4:
        return _explain_rank(shape, spec)
    if shape[1] in _CHANNELS and shape[3] not in _CHANNELS:
        return (
            f"the channels come first; put keras.layers.Permute((3, 1, 2)) in front of it or, for a PyTorch network, "
            f"convert litert_torch.to_channel_last_io(network, args=[0]) ({GUIDE})"
        )
    if shape[0] not in (1, -1):
        return f"it takes {shape[0]} images at a time; convert it with a batch of 1"
    if shape[3] not in (*_CHANNELS, -1):
        return f"it takes {shape[3]} channels; use a network for gray (1) or RGB images (3)"
    changes = []
    if any(length not in (-1, want) for length, want in zip(shape[1:3], size, strict=True)):
        changes.append(f'"height": {shape[1]}, "width": {shape[2]}')
    if shape[3] not in (-1, spec.channels):
        changes.append(f'"color": "{"gray" if shape[3] == 1 else "rgb"}"')
    return f"if the spec is for this network, set {', '.join(changes)} in its input"


def _explain_rank(shape: tuple[int, ...], spec: ModelSpec) -> str:
    if len(shape) == 3:
        return (
            "it has no channel axis; put keras.layers.Reshape"
            f"(({spec.height}, {spec.width})) in front of it and convert it again ({GUIDE})"
        )
    if len(shape) == 2:
        return (
            "it takes a vector; if its values are the pixels, put keras.layers.Flatten() in front of it "
            f"and convert it again ({GUIDE})"
        )
    if len(shape) == 5:
        return "it takes a sequence of images; use a network that classifies a single image"
    return "convert it with a single image as input"


def _explain_outputs(shape: tuple[int, ...], count: int) -> str:
    values = math.prod(shape)
    if values == 1:
        pair = "; for two labels, end it with keras.layers.Concatenate()([1 - p, p]), where p is its output"
        return (
            "a single value cannot be the probabilities of several labels"
            f"{pair if count == 2 else ', so convert it without argmax, ending with a softmax'} ({GUIDE})"
        )
    if max(shape) != values and count in shape:
        return (
            "it has values for several positions or times; put keras.layers.GlobalAveragePooling2D() before "
            "the softmax"
        )
    if max(shape) != values:
        return "it does not have one value per label; convert only the output with the emotions"
    return (
        f"it has {values} values; attach the spec that it was trained with, which names {values} labels "
        "in the order of the outputs"
    )


def _shape(tensor: _Tensor, *, free: bool = False) -> tuple[int, ...]:
    """Return the shape; with ``free``, open dimensions except the batch are -1."""
    lengths = [int(length) for length in tensor["shape"]]
    if free:
        lengths[1:] = [int(length) for length in tensor["shape_signature"]][1:]
    return tuple(lengths)


def _list_tensors(tensors: Sequence[_Tensor]) -> str:
    return ", ".join(f"{tensor['name']} {_shape(tensor)}" for tensor in tensors)
