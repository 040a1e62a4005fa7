"""Conversion of a Keras network to the bytes of a TFLite network of any variant."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from fer_convert.keras_graph.batch_norm_folding import fold_batch_norms
from fer_convert.keras_graph.cross_layer_equalization import equalize_layers
from fer_convert.quantization.gptq import apply_gptq
from fer_convert.quantization.outliers import drop_outliers
from fer_convert.tflite.converter import run_converter
from fer_convert.tflite.inspection import check_calibratable, check_network
from fer_edge.models.spec import Variant
from fer_train.models.prediction import Progress, no_progress

__all__ = ["convert_to_tflite"]


def convert_to_tflite(
    model: keras.Model,
    variant: Variant,
    calibration: NDArray[np.uint8] | None = None,
    progress: Progress = no_progress,
) -> bytes:
    """Convert a network to TFLite.

    The result has batch size 1 and one signature from ``image`` to ``emotion``. ``float32`` is unquantized. ``float16``
    has float16 weights and computes in float32. ``dynamic`` has int8 weights, and float32 input and output. ``int8``
    has int8 weights (per channel), activations, input and output; it needs ``calibration``, images of uint8 (n, height,
    width, channels). The same arguments give the same bytes.

    Raises ConversionError if TFLite has no operator for a layer, the result is not of the variant, or an int8 network
    would contain control flow.
    """
    if calibration is None or variant != "int8":
        return run_converter(model, variant)
    folded = fold_batch_norms(model)
    calibration = drop_outliers(folded, calibration)
    equalized = equalize_layers(folded, calibration)
    exact = run_converter(equalized, "float32")
    check_calibratable(exact, model.name)
    nearest = run_converter(equalized, "int8", progress("Calibrating int8", calibration))
    network = apply_gptq(nearest, exact, calibration, progress)
    check_network(network, variant, model.name)
    return network
