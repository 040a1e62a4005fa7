"""Conversion of a Keras network to a TFLite network with TensorFlow's converter."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_convert.tflite.inspection import check_network
from fer_convert.tflite.metadata import INPUT_NAME, OUTPUT_NAME
from fer_edge.classification.preprocess import normalize
from fer_edge.errors import ConversionError
from fer_edge.models.spec import Variant

__all__ = ["make_calibration_inputs", "run_converter", "stretch_to_full_range"]

_UNSUPPORTED = re.compile(r"(?:TF Select|Custom) ops: (.+)")


def run_converter(
    model: keras.Model, variant: Variant, calibration: Iterable[NDArray[np.uint8]] = ()
) -> bytes:
    """Convert a network with TensorFlow's converter, to built-in operators only.

    The result has batch size 1 and one signature ``serving_default`` from ``image`` to ``emotion``. ``calibration``
    contains the images, uint8 (height, width, channels), that determine the ranges of int8. Raises ConversionError if
    TFLite has no operator for a layer or the result is not of the variant.

    :func:`fer_convert.conversion.network.convert_to_tflite` adds further steps for int8.
    """
    converter = _make_converter(model)
    if variant != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if variant == "int8":
        converter.representative_dataset = lambda: make_calibration_inputs(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        network = bytes(converter.convert())
    except Exception as error:  # TensorFlow raises bare Exception, among others
        raise ConversionError(
            f"{model.name}: cannot convert to {variant}: {_summarize_error(error)}"
        ) from error
    check_network(network, variant, model.name)
    return network


def make_calibration_inputs(images: Iterable[NDArray[np.uint8]]) -> Iterable[list[NDArray[np.float32]]]:
    """Yield the converter's calibration inputs, float32 (1, height, width, channels).

    ``images`` are uint8 (height, width, channels). The first image is stretched to all gray levels, which determines
    the scale and the zero point of the input.
    """
    for index, pixels in enumerate(images):
        yield [normalize(pixels if index else stretch_to_full_range(pixels))[None]]


def stretch_to_full_range(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the pixels of an image, uint8 of any shape, linearly to 0…255.

    With such an image in the calibration data, the int8 input has exactly the scale 1/64 and the zero point 0.
    """
    low, high = int(pixels.min()), int(pixels.max())
    return np.asarray(np.rint((pixels.astype(np.float32) - low) * (255 / (high - low))), np.uint8)


def _make_converter(model: keras.Model) -> Any:
    shape = (1, *model.inputs[0].shape[1:])

    def serve(image: Any) -> dict[str, Any]:
        return {OUTPUT_NAME: model(image, training=False)}

    module = tf.Module()
    # TensorFlow does not track Keras variables and would not find them without this line.
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)])
    return tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)


def _summarize_error(error: Exception) -> str:
    text = str(error)
    missing = sorted({op.strip() for line in _UNSUPPORTED.findall(text) for op in line.split(",")})
    if missing:
        return f"TFLite has no built-in operator for {', '.join(missing)}; use other layers"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
