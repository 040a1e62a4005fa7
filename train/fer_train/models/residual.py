"""Residual networks of plain 3×3 convolutions: a small one and its teacher.

The convolutions are plain because depthwise convolutions quantize badly and train slowly. The width doubles whenever
the resolution is halved, so that every stage costs about the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fer_train.models.architecture import Architecture

if TYPE_CHECKING:
    import keras

__all__ = ["DEEP", "MINI", "build_deep_resnet", "build_mini_resnet"]


def build_mini_resnet(labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
    """Build the small network, which is fast enough on a Raspberry Pi.

    It has 1.18 M parameters and 33.7 M multiply-adds. ``pixel_std`` is not used, as there is a batch norm after the
    stem. ``dropout`` before the last layer defaults to 0.3.
    """
    del pixel_std
    return _build("mini-resnet", 24, 32, 1, labels, 0.3 if dropout is None else dropout)


def build_deep_resnet(labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
    """Build the teacher network: 7.8 M parameters, 213 M multiply-adds.

    ``pixel_std`` is not used. ``dropout`` before the last layer defaults to 0.4.
    """
    del pixel_std
    return _build("deep-resnet", 32, 64, 2, labels, 0.4 if dropout is None else dropout)


def _build(name: str, stem: int, width: int, depth: int, labels: int, dropout: float) -> keras.Model:
    """Build a stem, four stages and global average pooling.

    ``stem`` and ``width`` are the numbers of filters of the stem and of the first stage. Each stage starts with one
    convolution, followed by a residual branch of ``depth`` convolutions.
    """
    import keras
    from keras import layers

    inputs = keras.Input((48, 48, 1), name="image")
    x = layers.ReLU(name="stem_relu")(_conv_bn(inputs, stem, "stem"))
    for index in range(1, 5):
        filters = width * 2 ** (index - 1)
        x = layers.MaxPooling2D(2, name=f"stage{index}_pool")(x)
        x = layers.ReLU(name=f"stage{index}_relu")(_conv_bn(x, filters, f"stage{index}_conv"))
        residual = x
        for inner in range(1, depth):
            residual = _conv_bn(residual, filters, f"stage{index}_inner{inner}")
            residual = layers.ReLU(name=f"stage{index}_inner{inner}_relu")(residual)
        residual = _conv_bn(residual, filters, f"stage{index}_residual")
        x = layers.Add(name=f"stage{index}_add")([x, residual])
        x = layers.ReLU(name=f"stage{index}_out")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(labels, name="logits")(x)
    outputs = layers.Softmax(dtype="float32", name="emotion")(x)
    return keras.Model(inputs, outputs, name=name)


def _conv_bn(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    from keras import layers

    convolution = layers.Conv2D(
        filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(convolution(x))


MINI: Final = Architecture(build_mini_resnet, "small residual network, used by the bundled model default")
DEEP: Final = Architecture(
    build_deep_resnet,
    "twice as wide, with three convolutions per stage; used by the bundled model accurate",
)
