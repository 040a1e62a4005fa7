"""A conversion from end to end: every file converted, verified, described, and only then put in its place."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import ai_edge_litert as litert
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fer_convert.quantization.calibration_data import calibration_faces
from fer_convert.tflite.container import operators, with_contract
from fer_convert.tflite.converter import export
from fer_convert.trained_model import Source
from fer_convert.verification.plots import draw_confusions, draw_reliability
from fer_convert.verification.verify import agreement, faces_of, latency_ms, network_pixels, probabilities
from fer_edge._version import __version__
from fer_edge.classification.preprocess import normalize
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import ModelSpec, Variant
from fer_edge.runtime.atomic_files import staged_folder
from fer_train.data.dataset import FaceDataset
from fer_train.evaluation.metrics import compute_metrics

__all__ = ["REPORT_FILE", "convert"]

REPORT_FILE: Final = "conversion.json"
_BATCH: Final = 256

Progress = Callable[[str, Iterable[Any]], Iterable[Any]]
"""Wraps the steps of a long task, which it is told the name of."""


def convert(
    source: Source,
    faces: FaceDataset,
    out: Path,
    *,
    data: str,
    variants: Sequence[Variant],
    samples: int,
    seed: int,
    split: str,
    overwrite: bool = False,
    progress: Progress = lambda _, steps: steps,
) -> dict[str, Any]:
    """Write ``VARIANT.tflite`` for each variant, ``conversion.json`` and two pictures; the report.

    ``samples`` faces of Training calibrate int8; the faces of ``split`` measure every file. ``data``
    names the data set in the report. The files' bytes depend on the network, the faces and the seed alone.
    Raises the errors of the parts; then nothing is in ``out``.
    """
    with staged_folder(out, overwrite=overwrite) as staging:
        test = faces_of(faces, split, source.spec, data)
        calibration = None
        if "int8" in variants:
            calibration = calibration_faces(faces_of(faces, "Training", source.spec, data), samples, seed)
        model = source.load()
        pixels = network_pixels(test)
        answers = {"keras": _keras_probabilities(model, pixels, progress)}
        report: dict[str, Any] = {
            "version": __version__,
            "source": {
                "model": str(source.model),
                "name": source.spec.name,
                "sha256": source.sha256,
                "parameters": model.count_params(),
            },
            "data": data,
            "split": split,
            "samples": len(test),
            "seed": seed,
            "calibration": None if calibration is None else _calibration_report(calibration, seed),
            "keras": compute_metrics(answers["keras"], test.labels, test.label_names),
            "files": {},
            "versions": _versions(),
            "machine": platform.machine(),
        }
        for variant in variants:
            seen = None if calibration is None else network_pixels(calibration)
            network = export(model, variant, seen, progress)
            spec = _spec_of(source, variant, report["calibration"])
            path = staging / f"{variant}.tflite"
            path.write_bytes(with_contract(network, spec))
            answers[variant] = probabilities(
                find_model(path), pixels, partial(progress, f"Verifying {variant}")
            )
            figures = compute_metrics(answers[variant], test.labels, test.label_names)
            stated = {key: figures[key] for key in ("accuracy", "mean_class_accuracy", "samples")}
            path.write_bytes(with_contract(network, spec.replace(accuracy={split: stated})))
            report["files"][path.name] = {
                **_identity(find_model(path), network),
                **figures,
                **_cost(report["keras"], answers["keras"], figures, answers[variant]),
                "latency_ms": latency_ms(find_model(path), pixels),
            }
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        (staging / REPORT_FILE).write_text(text, encoding="utf-8")
        draw_confusions(staging / "confusion.png", report)
        draw_reliability(staging / "reliability.png", answers, test)
    return report


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "ai-edge-litert": litert.__version__,
        "numpy": np.__version__,
    }


def _spec_of(source: Source, variant: Variant, calibration: dict[str, Any] | None) -> ModelSpec:
    provenance = {
        **source.spec.provenance,
        "source_sha256": source.sha256,
        "converter": f"fer-convert {__version__}",
    }
    if variant == "int8":
        provenance["calibration"] = calibration
    return source.spec.replace(variant=variant, accuracy={}, provenance=provenance)


def _calibration_report(calibration: FaceDataset, seed: int) -> dict[str, Any]:
    counts = np.bincount(calibration.labels, minlength=len(calibration.label_names)).tolist()
    return {
        "split": "Training",
        "samples": len(calibration),
        "per_class": dict(zip(calibration.label_names, counts, strict=True)),
        "seed": seed,
    }


def _identity(model: ModelFile, network: bytes) -> dict[str, Any]:
    return {
        "variant": model.spec.variant,
        "bytes": model.size,
        "sha256": model.sha256,
        "operators": list(operators(network)),
    }


def _cost(
    before: dict[str, Any],
    reference: NDArray[np.float32],
    after: dict[str, Any],
    converted: NDArray[np.float32],
) -> dict[str, Any]:
    """What a conversion changed, from the figures and the probabilities before and after it."""
    compared = agreement(reference, converted)
    return {
        "points_lost": round(100 * (before["accuracy"] - after["accuracy"]), 4),
        "top1_agreement": round(compared.top1, 6),
        "mean_probability_difference": round(compared.mean_difference, 6),
        "max_probability_difference": round(compared.max_difference, 6),
    }


def _keras_probabilities(
    model: keras.Model, pixels: NDArray[np.uint8], progress: Progress
) -> NDArray[np.float32]:
    parts = [
        keras.ops.convert_to_numpy(model(normalize(pixels[start : start + _BATCH]), training=False))
        for start in progress("Asking Keras", range(0, len(pixels), _BATCH))
    ]
    return np.concatenate(parts).astype(np.float32)
