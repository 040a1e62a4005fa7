"""Batch norms after an activation, folded into the next layer: the same outputs, and int8 stays close to them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from fer_convert.conversion.network import convert_to_tflite
from fer_convert.keras_graph.batch_norm_folding import fold_batch_norms
from fer_convert.tflite.converter import run_converter
from fer_convert.tflite.inspection import list_operators
from fer_convert.verification.predictions import predict_with_keras

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 24, 24, 1), np.uint8)


def norms(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def bn_cnn_like(between: list[Any], behind: Any) -> keras.Model:
    """Build a network of ReLU, norm "bn", ``between`` and the linear layer ``behind``; half of the 8 units are dead."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((24, 24, 1), name="image")
    x = layers.Conv2D(8, 5, activation="relu", name="conv")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    for layer in (*between, behind):
        x = layer(x)
    if len(x.shape) > 2:
        x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(7, name="logits")(x)
    model = keras.Model(inputs, layers.Softmax(name="emotion")(x), name="small")
    conv, norm = model.get_layer("conv"), model.get_layer("bn")
    dead = np.arange(8) < 4
    conv.bias.assign(np.where(dead, -100.0, 0.1))
    generator = np.random.default_rng(1)
    norm.gamma.assign(generator.uniform(0.5, 1.5, 8))
    norm.beta.assign(generator.normal(size=8))
    norm.moving_mean.assign(np.where(dead, 0, 0.5))
    norm.moving_variance.assign(np.where(dead, 0, 0.3))
    return model


FOLDED = {
    "dense": ([layers.Flatten], lambda: layers.Dense(6, activation="relu")),
    "dense behind dropout": (
        [lambda: layers.Dropout(0.2), layers.Flatten],
        lambda: layers.Dense(6, activation="relu"),
    ),
    "convolution": ([], lambda: layers.Conv2D(6, 3, activation="relu")),
    "convolution with strides": ([], lambda: layers.Conv2D(6, 3, strides=2, activation="tanh")),
    "padded maximum": ([lambda: layers.MaxPooling2D(3, 2, "same")], lambda: layers.Conv2D(6, 4)),
    "padded mean": ([lambda: layers.AveragePooling2D(3, 2, "same")], lambda: layers.Conv2D(6, 4)),
    "mean": ([layers.GlobalAveragePooling2D], lambda: layers.Dense(6)),
}


def built(case: str) -> keras.Model:
    between, behind = FOLDED[case]
    return bn_cnn_like([kind() for kind in between], behind())


@pytest.mark.parametrize("case", FOLDED)
def test_a_norm_folds_into_the_next_linear_layer(case: str) -> None:
    model = built(case)
    before = [weights.copy() for weights in model.get_weights()]
    changed = fold_batch_norms(model)
    assert norms(model) == ["bn"]
    assert norms(changed) == []
    np.testing.assert_allclose(
        predict_with_keras(changed, IMAGES), predict_with_keras(model, IMAGES), rtol=1e-4, atol=1e-5
    )
    for kept, weights in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weights)


def negative_gain() -> keras.Model:
    model = built("padded maximum")
    model.get_layer("bn").gamma.assign(np.linspace(-0.1, 1, 8))
    return model


def branching() -> keras.Model:
    inputs = keras.Input((24, 24, 1))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inputs))
    x = layers.Concatenate()([layers.Conv2D(4, 3)(x), layers.Conv2D(4, 3)(x)])
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(layers.GlobalAveragePooling2D()(x))))


def norm_of_a_convolution() -> keras.Model:
    inputs = keras.Input((24, 24, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs)))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(layers.Flatten()(x))))


UNFOLDED = {
    "a negative gain behind a maximum": negative_gain,
    "a convolution that pads with zeros": lambda: bn_cnn_like([], layers.Conv2D(6, 3, padding="same")),
    "a layer without bias": lambda: bn_cnn_like([], layers.Conv2D(6, 3, use_bias=False)),
    "an activation": lambda: bn_cnn_like([layers.ReLU()], layers.Conv2D(6, 3)),
    "a depthwise convolution": lambda: bn_cnn_like([], layers.DepthwiseConv2D(3)),
    "two users": branching,
    "a norm that the converter merges": norm_of_a_convolution,
}


@pytest.mark.parametrize("case", UNFOLDED)
def test_a_norm_that_cannot_be_folded_exactly_stays_where_it_is(case: str) -> None:
    model = UNFOLDED[case]()
    assert fold_batch_norms(model) is model


def test_the_bundled_architecture_has_nothing_to_fold() -> None:
    from fer_train.models.registry import ARCHITECTURES

    model = ARCHITECTURES.load("mini-resnet").build(7)
    assert fold_batch_norms(model) is model


def test_the_reference_architecture_loses_all_its_norms() -> None:
    from fer_train.models.registry import ARCHITECTURES

    assert norms(fold_batch_norms(ARCHITECTURES.load("bn-cnn").build(7))) == []


def test_int8_of_a_network_with_dead_units_stays_close_to_float() -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = built("padded maximum")
    network = convert_to_tflite(model, "int8", IMAGES)
    assert {"MUL", "ADD"}.isdisjoint(list_operators(network))
    assert not {"MUL", "ADD"}.isdisjoint(list_operators(run_converter(model, "int8", IMAGES)))
    interpreter = Interpreter(model_content=network)
    runner = interpreter.get_signature_runner("serving_default")
    scale, zero = runner.get_output_details()["emotion"]["quantization"]
    pixels = (IMAGES.astype(np.int16) - 128).astype(np.int8)
    found = np.concatenate([runner(image=image[None])["emotion"] for image in pixels])
    np.testing.assert_allclose(
        (found.astype(np.float32) - zero) * scale, predict_with_keras(model, IMAGES), atol=0.02
    )
