"""The quality and latency of a file on a data set, with the runtime alone, without TensorFlow."""

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
    """Select the faces of one split, under a model's labels; ``data`` names the data set in messages.

    Raises DataError when the split has no faces, or the faces do not have the size or the labels that the
    spec demands.
    """
    size = faces.pixels.shape[1:]
    if size != (spec.height, spec.width) or spec.channels != 1:
        raise DataError(
            f"{data}: expected {spec.color} faces of {spec.width}×{spec.height} pixels, "
            f"as the model's spec says, got gray ones of {size[1]}×{size[0]}"
        )
    return faces.split(split).relabel(spec.labels)


def extract_images(faces: FaceDataset) -> NDArray[np.uint8]:
    """Extract the images of the faces as networks take them: uint8 (n, height, width, 1)."""
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
    """Measure the quality and the latency of a file on one split; ``data`` names the data set in messages.

    ``progress`` wraps the images; ``flip_average`` averages each image's probabilities and those of its mirror
    image, and ``latency_ms`` is that of one inference in either case. Raises DataError when the faces do not suit
    the model, ModelError when the file cannot be loaded.
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
