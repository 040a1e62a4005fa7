"""Accuracy and latency of a file, measured without TensorFlow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_convert.verification.latency import measure_latency
from fer_convert.verification.predictions import predict_with_runtime
from fer_convert.verification.report import VerificationReport, compute_metrics
from fer_edge.errors import DataError
from fer_edge.models.find_model import ModelFile
from fer_edge.models.spec import ModelSpec
from fer_train.data.dataset import FaceDataset
from fer_train.models.prediction import Progress, no_progress

__all__ = ["extract_images", "select_faces", "verify"]


def select_faces(faces: FaceDataset, split: str, spec: ModelSpec, data: str) -> FaceDataset:
    """Select the faces of a split and give them a model's labels.

    ``data`` names the data set in messages. Raises DataError if the split has no faces, or if their size or labels do
    not match the spec.
    """
    size = faces.pixels.shape[1:]
    if size != (spec.height, spec.width) or spec.channels != 1:
        raise DataError(
            f"{data}: the faces are gray, {size[1]}×{size[0]} pixels, but the model takes {spec.color} images of "
            f"{spec.width}×{spec.height} pixels; use a model trained on such faces"
        )
    return faces.split(split).relabel(spec.labels)


def extract_images(faces: FaceDataset) -> NDArray[np.uint8]:
    """Return the faces as a network's input: uint8 (n, height, width, 1)."""
    return faces.pixels[..., None]


def verify(
    model: ModelFile,
    faces: FaceDataset,
    split: str,
    data: str,
    progress: Progress = no_progress,
    *,
    flip_average: bool = False,
) -> VerificationReport:
    """Measure the metrics and the latency of a file on a split.

    ``data`` names the data set in messages. ``progress`` wraps the images. ``flip_average`` averages the probabilities
    of each image and its mirror image; the latency is always that of one inference. Raises DataError if the faces do
    not match the model, ModelError if the file cannot be loaded.
    """
    test = select_faces(faces, split, model.spec, data)
    images = extract_images(test)
    predictions = predict_with_runtime(model, images, progress, "Verifying", flip_average=flip_average)
    return {
        "split": split,
        **compute_metrics(predictions, test),
        "flip_average": flip_average,
        "latency_ms": measure_latency(model, images),
    }
