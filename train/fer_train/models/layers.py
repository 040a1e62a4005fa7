"""Layers missing in Keras, registered so that saved networks can be loaded."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from fer_edge.models.spec import PIXEL_SCALE

__all__ = ["PerImageStandardization"]


@keras.saving.register_keras_serializable(package="fer_train")
class PerImageStandardization(keras.layers.Layer):  # type: ignore[misc]
    """Layer that standardizes each image.

    It subtracts the image's mean and divides by the standard deviation of the training set. Input and output are float
    (batch, height, width, channels). The input is (pixel - 128) / 64, so ``(x - mean(x)) * 64 / std`` is the mean-free
    pixel divided by ``std`` gray levels. The layer has no parameters and converts to the built-in operators MEAN, SUB
    and MUL.
    """

    def __init__(self, std: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not std > 0:
            raise ValueError(f"expected a standard deviation above 0, got {std}")
        self.std = float(std)

    def call(self, inputs: Any) -> Any:
        """Standardize a batch."""
        mean = ops.mean(inputs, axis=(1, 2, 3), keepdims=True)
        return (inputs - mean) * (PIXEL_SCALE / self.std)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), "std": self.std}
