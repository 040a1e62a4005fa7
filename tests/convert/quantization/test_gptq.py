"""GPTQ: int8 weights whose outputs are closer to float than those of rounded weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from fer_convert.quantization.gptq import apply_gptq
from fer_convert.tflite.converter import run_converter
from fer_convert.tflite.flatbuffer import parse_model
from fer_convert.tflite.inspection import list_operators
from fer_convert.verification.predictions import predict_with_keras
from fer_edge.classification.preprocess import quantize_pixels
from fer_edge.errors import ConversionError


@pytest.fixture(scope="module")
def images(drawn_faces: tuple[NDArray[np.uint8], Any, Any]) -> NDArray[np.uint8]:
    """Return random images, uint8 (40, 48, 48, 1)."""
    return drawn_faces[0][-40:, ..., None]


@pytest.fixture
def model(run_folder: Path) -> keras.Model:
    return keras.saving.load_model(run_folder / "model.keras", compile=False)


def predict_int8(network: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities of an int8 network, float32 (n, labels)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    (source,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = output["quantization"]
    found = []
    for image in images:
        interpreter.set_tensor(source["index"], quantize_pixels(image)[None])
        interpreter.invoke()
        found.append((interpreter.get_tensor(output["index"])[0].astype(np.float32) - zero) * scale)
    return np.stack(found)


def test_the_outputs_come_closer_to_float_than_with_the_nearest_weights(
    model: keras.Model, images: NDArray[np.uint8]
) -> None:
    nearest = run_converter(model, "int8", images)
    better = apply_gptq(nearest, run_converter(model, "float32"), images)
    exact = predict_with_keras(model, images)
    errors = [float(np.square(predict_int8(network, images) - exact).mean()) for network in (nearest, better)]
    assert errors[1] < errors[0]


def test_only_weights_and_biases_change(model: keras.Model, images: NDArray[np.uint8]) -> None:
    nearest = run_converter(model, "int8", images)
    better = apply_gptq(nearest, run_converter(model, "float32"), images)
    assert list_operators(better) == list_operators(nearest)
    (_, before), (_, after) = parse_model(nearest), parse_model(better)
    for old, new in zip(before.subgraphs[0].tensors, after.subgraphs[0].tensors, strict=True):
        assert (old.name, old.type, old.shape.tolist()) == (new.name, new.type, new.shape.tolist())
        if old.quantization is not None and old.quantization.scale is not None:
            np.testing.assert_array_equal(old.quantization.scale, new.quantization.scale)
            np.testing.assert_array_equal(old.quantization.zeroPoint, new.quantization.zeroPoint)
    assert abs(len(better) - len(nearest)) < 2000, "replaced weights leave nothing behind"


def other_network() -> keras.Model:
    inputs = keras.Input((48, 48, 1))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(layers.Flatten()(inputs))), name="other")


def test_two_different_networks_are_refused(model: keras.Model, images: NDArray[np.uint8]) -> None:
    with pytest.raises(
        ConversionError, match="the int8 network and the float32 network have different layers"
    ):
        apply_gptq(run_converter(model, "int8", images), run_converter(other_network(), "float32"), images)
