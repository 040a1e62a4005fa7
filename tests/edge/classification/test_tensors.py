"""Tensors that contradict the spec are rejected, each with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.classification.tensors import check_input, check_output
from fer_edge.errors import ContractError
from fer_edge.models.spec import FER2013_LABELS, ModelSpec

SPEC = ModelSpec(name="own", labels=FER2013_LABELS)
PATH = Path("smile.tflite")


def tensor(
    shape: Sequence[int],
    kind: Any = np.float32,
    quantization: tuple[float, int] = (0.0, 0),
    *,
    free: Sequence[int] | None = None,
    name: str = "image",
) -> dict[str, Any]:
    """Return a tensor as an interpreter describes it; ``free`` is its shape with -1 for each free dimension."""
    return {
        "name": name,
        "shape": np.array(shape, np.int32),
        "shape_signature": np.array(shape if free is None else free, np.int32),
        "dtype": kind,
        "quantization": quantization,
    }


@pytest.mark.parametrize(
    "fitting",
    [
        tensor((1, 48, 48, 1)),
        tensor((1, 48, 48, 1), free=(-1, 48, 48, 1)),
        tensor((1, 1, 1, 1), free=(-1, -1, -1, 1)),
        tensor((1, 48, 48, 1), np.int8, (1 / 64, 0)),
        tensor((1, 48, 48, 1), np.uint8, (1 / 64, 128)),
        tensor((1, 48, 48, 1), np.int16, (2 / 32767, 0)),
    ],
)
def test_inputs_that_the_spec_feeds_are_accepted(fitting: dict[str, Any]) -> None:
    check_input([fitting], SPEC, PATH)


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        (tensor((1, 1, 48, 48)), "channels come first; put keras.layers.Permute((3, 1, 2))"),
        (tensor((1, 3, 224, 224)), "litert_torch.to_channel_last_io"),
        (tensor((1, 1, 48, 48), free=(-1, 1, -1, -1)), "Permute((3, 1, 2))"),
        (tensor((1, 64, 56, 1)), 'set "height": 64, "width": 56 in its input'),
        (tensor((1, 48, 48, 3)), 'set "color": "rgb" in its input'),
        (tensor((1, 1, 1, 3), free=(-1, -1, -1, 3)), 'set "color": "rgb" in its input'),
        (tensor((1, 224, 224, 3)), '"height": 224, "width": 224, "color": "rgb"'),
        (tensor((1, 48, 48, 4)), "it takes 4 channels; use a network for gray (1) or RGB images (3)"),
        (tensor((8, 48, 48, 1)), "convert it with a batch of 1"),
        (tensor((1, 48, 48)), "keras.layers.Reshape((48, 48)) in front"),
        (tensor((1, 2304)), "keras.layers.Flatten() in front"),
        (tensor((1, 16, 48, 48, 1)), "a sequence of images"),
        (tensor((1, 48, 48, 1), np.float16), "takes float16 values; convert it with a float32"),
        (tensor((1, 48, 48, 1), np.int32), "takes int32 values"),
        (tensor((1, 48, 48, 1), np.uint8), "the uint8 input expects pixel (0 to 255)"),
        (tensor((1, 48, 48, 1), np.int8), "int8 input has no scale"),
        (tensor((1, 48, 48, 1), np.uint8, (1 / 255, 0)), "Rescaling(64 / 255, offset=128 / 255)"),
        (tensor((1, 48, 48, 1), np.int8, (1 / 127.5, -1)), "Rescaling(64 / 127.5, offset=0.5 / 127.5)"),
        (tensor((1, 48, 48, 1), np.uint8, (1.0, 0)), "Rescaling(64, offset=128)"),
    ],
)
def test_another_input_is_refused_with_a_remedy(found: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_input([found], SPEC, PATH)
    assert remedy in str(caught.value)
    assert str(caught.value).startswith("smile.tflite: ")


def test_several_inputs_and_outputs_are_listed() -> None:
    with pytest.raises(ContractError, match=r"2 inputs: face \(1, 48, 48, 1\), age \(1, 1\);"):
        check_input([tensor((1, 48, 48, 1), name="face"), tensor((1, 1), name="age")], SPEC, PATH)
    with pytest.raises(ContractError, match=r"2 outputs: a \(1, 7\), b \(1, 2\); .*model\.outputs\[0\]"):
        check_output([tensor((1, 7), name="a"), tensor((1, 2), name="b")], SPEC, PATH)


@pytest.mark.parametrize("shape", [(1, 7), (7,), (1, 1, 1, 7), (1, 7, 1, 1)])
def test_one_number_for_each_label_is_accepted_in_any_shape(shape: tuple[int, ...]) -> None:
    check_output([tensor(shape)], SPEC, PATH)


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        (tensor((1, 8)), "it has 8 values; attach the spec that it was trained with, which names 8 labels"),
        (tensor((1, 1)), "a single value cannot be the probabilities of several labels"),
        (tensor((1, 6, 6, 7)), "GlobalAveragePooling2D() before the softmax"),
        (tensor((1, 10, 4)), "convert only the output with the emotions"),
        (tensor((1, 7), np.int64), "without argmax"),
        (tensor((1, 7), np.int8), "without a scale"),
    ],
)
def test_another_output_is_refused_with_a_remedy(found: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_output([found], SPEC, PATH)
    assert remedy in str(caught.value)


def test_the_probability_of_one_of_two_labels_has_a_remedy_of_its_own() -> None:
    with pytest.raises(ContractError, match=r"Concatenate\(\)\(\[1 - p, p\]\)"):
        check_output([tensor((1, 1))], SPEC.replace(labels=("calm", "smiling")), PATH)
