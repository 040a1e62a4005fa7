from __future__ import annotations

import keras
import numpy as np
import pytest

from fer_edge.errors import UsageError
from fer_train.models.complexity import measure_complexity
from fer_train.models.layers import PerImageStandardization
from fer_train.models.registry import ARCHITECTURES


def test_the_reference_network_is_the_papers() -> None:
    model = ARCHITECTURES.load("bn-cnn").build(7)
    assert model.count_params() == 14_428_999
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert [shapes[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "hidden", "logits")] == [
        (44, 44, 64), (22, 22, 64), (18, 18, 64), (9, 9, 64), (6, 6, 128), (3072,), (7,),
    ]  # fmt: skip


def test_the_small_network_is_small() -> None:
    small = measure_complexity(ARCHITECTURES.load("mini-resnet").build(7))
    assert small.macs <= 45_000_000
    assert small.parameters < 1_250_000  # int8: at most 1.5 MB


def test_cost_counts_what_a_face_takes() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)  # 8·8 positions of 3·3·3·4
    x = keras.layers.DepthwiseConv2D(3)(x)  # 6·6 positions of 3·3·4
    outputs = keras.layers.Dense(5)(keras.layers.Flatten()(x))  # 144·5
    assert measure_complexity(keras.Model(inputs, outputs)).macs == 64 * 108 + 36 * 36 + 144 * 5


@pytest.mark.parametrize("name", ARCHITECTURES.names)
@pytest.mark.parametrize("labels", [2, 100])
def test_every_network_takes_any_number_of_labels(name: str, labels: int) -> None:
    model = ARCHITECTURES.load(name).build(labels)
    assert (model.input_shape, model.output_shape) == ((None, 48, 48, 1), (None, labels))
    assert model.name == name


def test_standardization_is_free_of_mean_and_in_units_of_the_deviation() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)).astype(np.float32)
    layer = PerImageStandardization(60.0)
    out = keras.ops.convert_to_numpy(layer((pixels - 128) / 64))
    expected = (pixels - pixels.mean(axis=(1, 2, 3), keepdims=True)) / 60
    assert np.allclose(out, expected, atol=1e-5)
    assert layer.count_params() == 0
    with pytest.raises(ValueError, match="standard deviation above 0"):
        PerImageStandardization(0)


def test_an_unknown_one_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="bn-cnn, mini-resnet"):
        ARCHITECTURES.load("vgg")
