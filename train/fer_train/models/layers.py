"""The layers that Keras lacks; registered, so that a saved network loads wherever this package is."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from fer_edge.models.spec import PIXEL_SCALE

__all__ = ["PerImageStandardization"]


@keras.saving.register_keras_serializable(package="fer_train")
class PerImageStandardization(keras.layers.Layer):  # type: ignore[misc]
    """Subtract each picture's own mean, then divide by the training set's standard deviation.

    Input and output: float (batch, height, width, channels); the input is (pixel - 128) / 64, so that
    ``(x - mean(x)) * 64 / std`` is the mean-free pixel over ``std`` grey levels. No parameters; converts
    to the built-in operators MEAN, SUB and MUL.
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
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that rebuild the layer."""
        return {**super().get_config(), "std": self.std}
