"""A complete conversion: writes all files, verified and with a report, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from fer_convert.conversion.network import convert_to_tflite
from fer_convert.conversion.options import ConversionOptions
from fer_convert.conversion.report import (
    CalibrationReport,
    ConversionReport,
    build_conversion_report,
    build_file_report,
    describe_calibration,
)
from fer_convert.quantization.calibration_data import select_calibration_faces
from fer_convert.tflite.container import embed_spec
from fer_convert.trained_model import TrainedModel
from fer_convert.verification.latency import measure_latency
from fer_convert.verification.plots import draw_confusion_matrices, draw_reliability
from fer_convert.verification.predictions import predict_with_keras, predict_with_runtime
from fer_convert.verification.report import compute_metrics
from fer_convert.verification.verify import extract_images, select_faces
from fer_edge._version import __version__
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import ModelSpec, Variant
from fer_edge.runtime.atomic_files import write_json
from fer_edge.runtime.staged_folders import staged_folder
from fer_train.data.dataset import FaceDataset
from fer_train.models.loading import check_probabilities
from fer_train.models.prediction import Progress, no_progress

__all__ = ["FILES_BESIDE", "convert_model"]

_REPORT: Final = "conversion.json"
_CONFUSION: Final = "confusion.png"
_RELIABILITY: Final = "reliability.png"
FILES_BESIDE: Final = (_REPORT, _CONFUSION, _RELIABILITY)
"""Names of the files that a conversion writes in addition to the ``.tflite`` files."""


def convert_model(
    source: TrainedModel,
    faces: FaceDataset,
    out: Path,
    options: ConversionOptions,
    *,
    data: str,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> ConversionReport:
    """Convert a network and write the files, the report and two plots to ``out``.

    The files are ``VARIANT.tflite``, ``conversion.json``, ``confusion.png`` and ``reliability.png``. The bytes of the
    ``.tflite`` files depend only on the network, the faces and the options. ``data`` names the data set in the report
    and in messages; ``overwrite`` allows a folder that already contains files.

    Raises ConversionError, ContractError, DataError, ModelError or OutputError, and writes nothing to ``out`` in this
    case.
    """
    with staged_folder(out, overwrite=overwrite) as staging:
        test = select_faces(faces, options.split, source.spec, data)
        calibration = _select_calibration(faces, source.spec, options, data)
        model = source.load()
        reference = predict_with_keras(model, extract_images(test), progress)
        check_probabilities(source.path, reference)
        report = build_conversion_report(
            source,
            model.count_params(),
            data,
            options,
            None if calibration is None else describe_calibration(calibration, options.seed),
            compute_metrics(reference, test),
        )
        for variant in options.variants:
            spec = _build_spec(source, variant, report["calibration"])
            network = _convert_variant(model, variant, calibration, progress)
            path = staging / f"{variant}.tflite"
            _write_and_verify(path, network, spec, test, report, reference, progress)
        write_json(staging / _REPORT, report)
        where = f"{source.spec.name} on {len(test):,} faces of {options.split}"
        draw_confusion_matrices(staging / _CONFUSION, report["files"], where)
        by_variant = {"keras": report["keras"]} | {file["variant"]: file for file in report["files"].values()}
        draw_reliability(staging / _RELIABILITY, by_variant, f"{where}\naccuracy by predicted probability")
    return report


def _select_calibration(
    faces: FaceDataset, spec: ModelSpec, options: ConversionOptions, data: str
) -> FaceDataset | None:
    """Select the faces that calibrate int8.

    Returns None if int8 is not among the variants.
    """
    if "int8" not in options.variants:
        return None
    training = select_faces(faces, "Training", spec, data)
    return select_calibration_faces(training, options.samples, options.seed)


def _build_spec(source: TrainedModel, variant: Variant, calibration: CalibrationReport | None) -> ModelSpec:
    provenance = {
        **source.spec.provenance,
        "source_sha256": source.sha256,
        "converter": f"fer-convert {__version__}",
    }
    if variant == "int8":
        provenance["calibration"] = calibration
    return source.spec.replace(variant=variant, accuracy={}, provenance=provenance)


def _convert_variant(
    model: keras.Model, variant: Variant, calibration: FaceDataset | None, progress: Progress
) -> bytes:
    images = None if calibration is None else extract_images(calibration)
    return convert_to_tflite(model, variant, images, progress)


def _write_and_verify(
    path: Path,
    network: bytes,
    spec: ModelSpec,
    test: FaceDataset,
    report: ConversionReport,
    reference: NDArray[np.float32],
    progress: Progress,
) -> None:
    """Write a file with its measured accuracy and add it to the report."""
    images = extract_images(test)
    path.write_bytes(embed_spec(network, spec))
    predictions = predict_with_runtime(find_model(path), images, progress, f"Verifying {spec.variant}")
    metrics = compute_metrics(predictions, test)
    accuracy = {
        "accuracy": metrics["accuracy"],
        "accuracy_interval": metrics["accuracy_interval"],
        "mean_class_accuracy": metrics["mean_class_accuracy"],
        "samples": metrics["samples"],
    }
    path.write_bytes(embed_spec(network, spec.replace(accuracy={report["split"]: accuracy})))
    model = find_model(path)
    report["files"][path.name] = build_file_report(
        model,
        metrics,
        predictions,
        report["keras"],
        reference,
        test.labels,
        measure_latency(model, images),
    )
