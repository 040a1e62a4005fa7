"""Cross-layer equalization: the same outputs from channels with similar ranges."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from fer_convert.keras_graph.cross_layer_equalization import equalize_layers
from fer_convert.verification.predictions import predict_with_keras


@pytest.fixture(scope="module")
def images(drawn_faces: tuple[NDArray[np.uint8], Any, Any]) -> NDArray[np.uint8]:
    """Return random images, uint8 (40, 48, 48, 1)."""
    return drawn_faces[0][-40:, ..., None]


def residual_network() -> keras.Model:
    """Build a network of convolutions, batch norm and a residual sum, with very different channel ranges."""
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


def peaks(model: keras.Model, name: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the highest value of each channel of a layer."""
    watched = keras.Model(model.input, model.get_layer(name).output)
    return np.asarray(predict_with_keras(watched, images).reshape(len(images), -1, 8).max(axis=(0, 1)))


def test_an_equalized_network_computes_the_same(images: NDArray[np.uint8]) -> None:
    model = residual_network()
    before = [weights.copy() for weights in model.get_weights()]
    np.testing.assert_allclose(
        predict_with_keras(equalize_layers(model, images), images),
        predict_with_keras(model, images),
        atol=1e-5,
    )
    for kept, weights in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weights)


def test_equalized_channels_have_similar_ranges(images: NDArray[np.uint8]) -> None:
    model = residual_network()
    before, after = (peaks(m, "stem_relu", images) for m in (model, equalize_layers(model, images)))
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
    """In bn-cnn, such a norm becomes a product with a vector, to which int8 assigns a single scale."""
    inputs = keras.Input((48, 48, 1))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))


@pytest.mark.parametrize("build", [shared_convolution, saturating_activations, norm_after_activation])
def test_layers_that_cannot_be_scaled_keep_their_weights(build: Any, images: NDArray[np.uint8]) -> None:
    model = build()
    for weights, same in zip(model.get_weights(), equalize_layers(model, images).get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)


def test_the_bundled_architecture_is_equalized_in_every_stage(images: NDArray[np.uint8]) -> None:
    from fer_train.models.registry import ARCHITECTURES

    model = ARCHITECTURES.load("mini-resnet").build(7)
    changed = equalize_layers(model, images)
    for name in ("stage1_conv", "stage2_conv", "stage3_conv", "stage4_conv", "logits"):
        assert not np.allclose(model.get_layer(name).kernel, changed.get_layer(name).kernel), name
