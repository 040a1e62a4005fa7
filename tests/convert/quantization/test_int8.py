"""What keeps int8 close to float: channels of like range, and weights rounded by their effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from fer_convert.keras_graph.cross_layer_equalization import equalized
from fer_convert.quantization.gptq import rounded
from fer_convert.tflite.container import operators, parsed
from fer_convert.tflite.converter import converted
from fer_edge.classification.preprocess import normalize, quantize_pixels
from fer_edge.errors import ConversionError


@pytest.fixture(scope="module")
def pictures(drawn_faces: tuple[NDArray[np.uint8], Any, Any]) -> NDArray[np.uint8]:
    """uint8 (40, 48, 48, 1)."""
    return drawn_faces[0][-40:, ..., None]


def residual_network() -> keras.Model:
    """Convolutions, batch norm and a residual sum, with channels of very different range."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((48, 48, 1), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.MaxPooling2D(2, name="pool")(x)
    y = layers.Conv2D(8, 3, padding="same", name="residual")(x)
    x = layers.ReLU(name="relu")(layers.Add(name="add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(inputs, layers.Softmax(name="emotion")(layers.Dense(7, name="logits")(x)))
    spread = np.geomspace(0.05, 5, 8).astype(np.float32)
    model.get_layer("stem_bn").gamma.assign(spread)
    kernel = model.get_layer("residual").kernel
    kernel.assign(kernel * spread)
    return model


def answers(model: keras.Model, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(model(normalize(pictures), training=False)), np.float32)


def peaks(model: keras.Model, name: str, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The highest value of each channel of a layer."""
    watched = keras.Model(model.input, model.get_layer(name).output)
    return np.asarray(answers(watched, pictures).reshape(len(pictures), -1, 8).max(axis=(0, 1)))


def test_an_equalized_network_computes_the_same(pictures: NDArray[np.uint8]) -> None:
    model = residual_network()
    before = [weights.copy() for weights in model.get_weights()]
    np.testing.assert_allclose(
        answers(equalized(model, pictures), pictures), answers(model, pictures), atol=1e-5
    )
    for kept, weights in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weights)


def test_equalized_channels_have_like_ranges(pictures: NDArray[np.uint8]) -> None:
    model = residual_network()
    before, after = (peaks(m, "stem_relu", pictures) for m in (model, equalized(model, pictures)))
    assert before.max() / before.min() > 20
    assert after.max() / after.min() < before.max() / before.min() / 2


def shared_convolution() -> keras.Model:
    inputs = keras.Input((48, 48, 1))
    twice = layers.Conv2D(1, 3, padding="same", activation="relu")
    x = layers.Flatten()(twice(twice(inputs)))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))


def saturating_activations() -> keras.Model:
    inputs = keras.Input((48, 48, 1))
    x = layers.Conv2D(4, 3, activation="sigmoid")(inputs)
    x = layers.ReLU(6.0)(layers.Conv2D(4, 3)(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(layers.GlobalAveragePooling2D()(x))))


def norm_after_activation() -> keras.Model:
    """As in bn-cnn: such a norm becomes a product with a vector, which int8 gives one scale."""
    inputs = keras.Input((48, 48, 1))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))


@pytest.mark.parametrize("build", [shared_convolution, saturating_activations, norm_after_activation])
def test_what_cannot_be_scaled_stays_as_it_is(build: Any, pictures: NDArray[np.uint8]) -> None:
    model = build()
    for weights, same in zip(model.get_weights(), equalized(model, pictures).get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)


def test_the_bundled_architecture_is_equalized_in_every_stage(pictures: NDArray[np.uint8]) -> None:
    from fer_train.models.registry import ARCHITECTURES

    model = ARCHITECTURES.load("mini-resnet").build(7)
    changed = equalized(model, pictures)
    for name in ("stage1_conv", "stage2_conv", "stage3_conv", "stage4_conv", "logits"):
        assert not np.allclose(model.get_layer(name).kernel, changed.get_layer(name).kernel), name


def scores(network: bytes, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The int8 network's answers as numbers."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    (source,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = output["quantization"]
    found = []
    for picture in pictures:
        interpreter.set_tensor(source["index"], quantize_pixels(picture)[None])
        interpreter.invoke()
        found.append((interpreter.get_tensor(output["index"])[0].astype(np.float32) - zero) * scale)
    return np.stack(found)


def test_rounding_by_effect_comes_closer_to_float_than_rounding_to_the_nearest(
    run_folder: Path, pictures: NDArray[np.uint8]
) -> None:
    model = keras.saving.load_model(run_folder / "model.keras", compile=False)
    nearest = converted(model, "int8", pictures)
    better = rounded(nearest, converted(model, "float32"), pictures)
    truth = answers(model, pictures)
    errors = [float(np.square(scores(network, pictures) - truth).mean()) for network in (nearest, better)]
    assert errors[1] < errors[0]


def test_rounding_changes_weights_and_biases_alone(run_folder: Path, pictures: NDArray[np.uint8]) -> None:
    model = keras.saving.load_model(run_folder / "model.keras", compile=False)
    nearest = converted(model, "int8", pictures)
    better = rounded(nearest, converted(model, "float32"), pictures)
    assert operators(better) == operators(nearest)
    (_, before), (_, after) = parsed(nearest), parsed(better)
    for old, new in zip(before.subgraphs[0].tensors, after.subgraphs[0].tensors, strict=True):
        assert (old.name, old.type, old.shape.tolist()) == (new.name, new.type, new.shape.tolist())
        if old.quantization is not None and old.quantization.scale is not None:
            np.testing.assert_array_equal(old.quantization.scale, new.quantization.scale)
            np.testing.assert_array_equal(old.quantization.zeroPoint, new.quantization.zeroPoint)
    assert abs(len(better) - len(nearest)) < 2000, "replaced weights leave nothing behind"


def test_rounding_refuses_two_different_networks(run_folder: Path, pictures: NDArray[np.uint8]) -> None:
    model = keras.saving.load_model(run_folder / "model.keras", compile=False)
    with pytest.raises(
        ConversionError, match="expected the int8 network to have the layers of the float32 one"
    ):
        rounded(converted(model, "int8", pictures), converted(residual_network(), "float32"), pictures)
