"""Calibration images far outside the usual ranges."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from fer_convert.quantization.outliers import drop_outliers

NOISE = np.random.default_rng(0).integers(0, 256, (20, 24, 24, 1), np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((24, 24, 1))
    x = layers.Flatten()(layers.Conv2D(8, 5, activation="relu")(inputs))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))


def test_an_image_far_outside_the_usual_ranges_is_dropped(model: keras.Model) -> None:
    gray = np.clip(NOISE // 32 + 124, 0, 255).astype(np.uint8)
    stripes = np.zeros_like(gray[:1])
    stripes[:, ::2] = 255
    np.testing.assert_array_equal(drop_outliers(model, np.concatenate([stripes, gray])), gray)


def test_images_of_usual_ranges_are_all_kept(model: keras.Model) -> None:
    np.testing.assert_array_equal(drop_outliers(model, NOISE), NOISE)


def test_a_network_without_linear_layers_has_no_outliers() -> None:
    inputs = keras.Input((24, 24, 1))
    model = keras.Model(inputs, layers.Flatten()(inputs))
    np.testing.assert_array_equal(drop_outliers(model, NOISE), NOISE)
