"""From a Keras network to the bytes of a TFLite network, in built-in operators alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_convert.keras_graph.batch_norm_folding import folded
from fer_convert.keras_graph.cross_layer_equalization import equalized
from fer_convert.quantization.calibration_data import stretched
from fer_convert.quantization.gptq import rounded
from fer_convert.quantization.outliers import typical
from fer_convert.tflite.container import input_quantization, operators, variant_of
from fer_edge.classification.preprocess import normalize
from fer_edge.errors import ConversionError
from fer_edge.models.spec import PIXEL_SCALE, Variant

__all__ = ["INPUT_NAME", "OUTPUT_NAME", "calibration_inputs", "converted", "export"]

INPUT_NAME: Final = "image"
OUTPUT_NAME: Final = "emotion"
"""The names in the file's one signature, ``serving_default``."""

Progress = Callable[[str, Iterable[Any]], Iterable[Any]]

_UNSUPPORTED = re.compile(r"(?:TF Select|Custom) ops: (.+)")


def export(
    model: keras.Model,
    variant: Variant,
    calibration: NDArray[np.uint8] | None = None,
    progress: Progress = lambda _, steps: steps,
) -> bytes:
    """The network as TFLite: batch 1, one signature from ``image`` to ``emotion``.

    ``float32``; ``float16`` weights, computed in float32; ``dynamic``: int8 weights, float32 in and out;
    ``int8``: weights, activations, input and output, per channel, for which ``calibration`` is uint8
    (n, height, width, channels) pictures. The same arguments give the same bytes.

    Raises ConversionError when TFLite has no operator for a layer, or the result is not as described.
    """
    if calibration is None or variant != "int8":
        return converted(model, variant)
    plain = folded(model)
    calibration = typical(plain, calibration)
    even = equalized(plain, calibration)
    nearest = converted(even, "int8", progress("Calibrating int8", calibration))
    network = rounded(nearest, converted(even, "float32"), calibration, progress)
    _check(network, variant, model.name)
    return network


def converted(model: keras.Model, variant: Variant, calibration: Iterable[NDArray[np.uint8]] = ()) -> bytes:
    """What TensorFlow's converter alone makes of the network; :func:`export` does more for int8."""
    converter = _converter(model)
    if variant != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if variant == "int8":
        converter.representative_dataset = lambda: calibration_inputs(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        network = bytes(converter.convert())
    except Exception as error:  # among others, TensorFlow raises Exception itself
        raise ConversionError(f"{model.name}: cannot be converted to {variant}: {_reason(error)}") from error
    _check(network, variant, model.name)
    return network


def _converter(model: keras.Model) -> Any:
    shape = (1, *model.inputs[0].shape[1:])

    def serve(image: Any) -> dict[str, Any]:
        return {OUTPUT_NAME: model(image, training=False)}

    module = tf.Module()
    # Keras' variables are none of TensorFlow's own tracking; without this they would not be found.
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)])
    return tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)


def calibration_inputs(pictures: Iterable[NDArray[np.uint8]]) -> Iterable[list[NDArray[np.float32]]]:
    """What the converter is shown of uint8 (height, width, channels) pictures: float32, batch 1.

    The first one is stretched over all grey levels, which fixes the input's scale and zero point.
    """
    for index, pixels in enumerate(pictures):
        yield [normalize(pixels if index else stretched(pixels))[None]]


def _check(network: bytes, variant: Variant, name: str) -> None:
    foreign = [operator for operator in operators(network) if operator.startswith("CUSTOM:")]
    if foreign:
        raise ConversionError(f"{name}: expected built-in TFLite operators alone, got {', '.join(foreign)}")
    got = variant_of(network)
    if got != variant:
        raise ConversionError(f"{name}: expected {variant} tensors, the converter made {got} ones")
    if variant == "int8":
        scale, zero_point = input_quantization(network)
        if (scale, zero_point) != (1 / PIXEL_SCALE, 0):
            raise ConversionError(
                f"{name}: expected an int8 input of scale 1/{PIXEL_SCALE} and zero point 0, "
                f"got {scale:g} and {zero_point}"
            )


def _reason(error: Exception) -> str:
    text = str(error)
    missing = sorted({op.strip() for line in _UNSUPPORTED.findall(text) for op in line.split(",")})
    if missing:
        return f"TFLite has no built-in operator for {', '.join(missing)}; use layers that it has"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
