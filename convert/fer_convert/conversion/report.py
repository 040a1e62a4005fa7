"""The content of ``conversion.json``."""

from __future__ import annotations

import platform
from typing import Any, TypedDict

import ai_edge_litert as litert
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_convert.conversion.options import ConversionOptions
from fer_convert.tflite.container import extract_network
from fer_convert.tflite.inspection import list_operators
from fer_convert.trained_model import TrainedModel
from fer_convert.verification.predictions import compare_predictions, compute_drop_p_value
from fer_convert.verification.report import Metrics
from fer_edge._version import __version__
from fer_edge.models.find_model import ModelFile
from fer_edge.models.spec import Variant
from fer_train.data.dataset import FaceDataset

__all__ = [
    "CalibrationReport",
    "ConversionReport",
    "FileReport",
    "SourceReport",
    "build_conversion_report",
    "build_file_report",
    "describe_calibration",
]


class SourceReport(TypedDict):
    """The converted network; ``model`` is its path, ``sha256`` the hash of its file."""

    model: str
    name: str
    sha256: str
    parameters: int


class CalibrationReport(TypedDict):
    """The faces that calibrated int8: their number in total and by label."""

    split: str
    samples: int
    per_class: dict[str, int]
    seed: int


class FileReport(Metrics):
    """A converted file: its identity, quality and speed.

    ``accuracy_drop_points`` is the accuracy before minus the accuracy after conversion, in percentage points.
    ``drop_p_value``, 0…1, is the p-value of McNemar's exact test on the paired predictions. ``top1_agreement``, 0…1, is
    the share of faces with the same prediction as the Keras network. The differences are between probabilities, over
    all faces and labels. ``latency_ms`` is the time in milliseconds for one face, by the number of threads.
    """

    variant: Variant
    bytes: int
    sha256: str
    operators: list[str]
    accuracy_drop_points: float
    drop_p_value: float
    top1_agreement: float
    mean_probability_difference: float
    max_probability_difference: float
    latency_ms: dict[str, float]


class ConversionReport(TypedDict):
    """A conversion: its source, its data, and the metrics before and after."""

    version: str
    source: SourceReport
    data: str
    split: str
    samples: int
    seed: int
    calibration: CalibrationReport | None
    keras: Metrics
    files: dict[str, FileReport]
    versions: dict[str, str]
    machine: str


def build_conversion_report(
    source: TrainedModel,
    parameters: int,
    data: str,
    options: ConversionOptions,
    calibration: CalibrationReport | None,
    metrics: Metrics,
) -> ConversionReport:
    """Build the report of a conversion without files.

    ``parameters`` is the number of parameters and ``metrics`` are the metrics of the Keras network.
    """
    return {
        "version": __version__,
        "source": {
            "model": str(source.path),
            "name": source.spec.name,
            "sha256": source.sha256,
            "parameters": parameters,
        },
        "data": data,
        "split": options.split,
        "samples": metrics["samples"],
        "seed": options.seed,
        "calibration": calibration,
        "keras": metrics,
        "files": {},
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "ai-edge-litert": litert.__version__,
            "numpy": np.__version__,
        },
        "machine": platform.machine(),
    }


def build_file_report(
    model: ModelFile,
    metrics: Metrics,
    predictions: NDArray[np.float32],
    before: Metrics,
    reference: NDArray[np.float32],
    labels: NDArray[np.int64],
    latency_ms: dict[str, float],
) -> FileReport:
    """Build the report of a file.

    ``metrics`` and ``predictions``, float32 (n, labels), are those of the file. ``before`` and ``reference`` are the
    metrics and the predictions of the Keras network; ``labels``, int64 (n,), are the true labels.
    """
    agreement = compare_predictions(reference, predictions)
    return {
        "variant": model.spec.variant,
        "bytes": model.size,
        "sha256": model.sha256,
        "operators": list(list_operators(extract_network(model.path.read_bytes()))),
        **metrics,
        "accuracy_drop_points": round(100 * (before["accuracy"] - metrics["accuracy"]), 4),
        "drop_p_value": round(compute_drop_p_value(reference, predictions, labels), 6),
        "top1_agreement": round(agreement.top1, 6),
        "mean_probability_difference": round(agreement.mean_difference, 6),
        "max_probability_difference": round(agreement.max_difference, 6),
        "latency_ms": latency_ms,
    }


def describe_calibration(faces: FaceDataset, seed: int) -> CalibrationReport:
    """Describe the faces that calibrate int8."""
    counts = np.bincount(faces.labels, minlength=len(faces.label_names)).tolist()
    per_class: dict[str, Any] = dict(zip(faces.label_names, counts, strict=True))
    return {"split": "Training", "samples": len(faces), "per_class": per_class, "seed": seed}
