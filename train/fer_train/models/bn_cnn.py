"""The reference network of 2018.

D. Pham, "Facial Emotion Recognition with Convolution Neural Networks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fer_train.models.architecture import Architecture

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURE", "build_bn_cnn"]


def build_bn_cnn(labels: int, *, pixel_std: float = 64.0, dropout: float | None = None) -> keras.Model:
    """Build the BN-CNN of figure 3 in the paper; 14,428,999 parameters for 7 labels.

    The mean-free pixels are divided by ``pixel_std``, the standard deviation of the training set in gray levels, as
    in the paper. ``dropout`` defaults to the paper's 0.2.
    """
    import keras
    from keras import layers

    from fer_train.models.layers import PerImageStandardization

    inputs = keras.Input((48, 48, 1), name="image")
    x = PerImageStandardization(pixel_std, name="standardize")(inputs)
    for index, (filters, kernel) in enumerate(((64, 5), (64, 5), (128, 4)), start=1):
        x = layers.Conv2D(filters, kernel, activation="relu", name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"conv{index}_bn")(x)
        if index < 3:
            x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{index}")(x)
    x = layers.Dropout(0.2 if dropout is None else dropout, name="dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(3072, activation="relu", name="hidden")(x)
    x = layers.BatchNormalization(name="hidden_bn")(x)
    x = layers.Dense(labels, name="logits")(x)
    outputs = layers.Softmax(dtype="float32", name="emotion")(x)
    return keras.Model(inputs, outputs, name="bn-cnn")


ARCHITECTURE: Final = Architecture(build_bn_cnn, "exact copy of the 2018 reference network (Pham, figure 3)")
