"""A small residual network of plain 3×3 convolutions: 1.18 M parameters, 33.7 M multiply-adds.

Plain convolutions because depthwise ones quantize badly and train slowly; widths double as the
resolution halves, so that every stage costs about the same.
"""

from __future__ import annotations

from typing import Final

import keras
from keras import layers

__all__ = ["build"]

_STEM: Final = 24
_STAGES: Final = (32, 64, 128, 256)


def build(labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
    """Stem and four stages, each a convolution and a residual convolution, then a global average.

    ``pixel_std`` is not used: batch normalisation after the stem takes its place. ``dropout`` before
    the last layer defaults to 0.3.
    """
    del pixel_std
    inputs = keras.Input((48, 48, 1), name="image")
    x = layers.ReLU(name="stem_relu")(_conv_bn(inputs, _STEM, "stem"))
    for index, filters in enumerate(_STAGES, start=1):
        x = layers.MaxPooling2D(2, name=f"stage{index}_pool")(x)
        x = layers.ReLU(name=f"stage{index}_relu")(_conv_bn(x, filters, f"stage{index}_conv"))
        residual = _conv_bn(x, filters, f"stage{index}_residual")
        x = layers.Add(name=f"stage{index}_add")([x, residual])
        x = layers.ReLU(name=f"stage{index}_out")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(0.3 if dropout is None else dropout, name="dropout")(x)
    x = layers.Dense(labels, name="logits")(x)
    outputs = layers.Softmax(dtype="float32", name="emotion")(x)
    return keras.Model(inputs, outputs, name="mini-resnet")


def _conv_bn(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(
        x
    )
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
