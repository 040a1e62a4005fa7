"""What a file is worth on a data set: accuracy, agreement, latency. With the runtime alone, no TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.classifier import Classifier
from fer_edge.errors import DataError
from fer_edge.models.find_model import ModelFile
from fer_edge.models.spec import ModelSpec
from fer_train.data.dataset import FaceDataset
from fer_train.evaluation.metrics import compute_metrics

__all__ = [
    "LATENCY_THREADS",
    "Agreement",
    "agreement",
    "faces_of",
    "latency_ms",
    "network_pixels",
    "probabilities",
    "verify",
]

LATENCY_THREADS: Final = (1, 2)
_WARM_UP: Final = 20
_TIMED: Final = 200

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a file's answers are from those of the network it was made of.

    ``top1``: the share of faces with the same emotion. The differences are between probabilities, 0…1,
    over all faces and emotions.
    """

    top1: float
    mean_difference: float
    max_difference: float


def faces_of(faces: FaceDataset, split: str, spec: ModelSpec, data: str) -> FaceDataset:
    """The faces of one split under a model's labels; ``data`` names the set in messages.

    Raises DataError when there are none, or they are not of the size or the labels that the model was made
    for.
    """
    size = faces.pixels.shape[1:]
    if size != (spec.height, spec.width) or spec.channels != 1:
        raise DataError(
            f"{data}: expected {spec.color} faces of {spec.width}×{spec.height} pixels, "
            f"as the model's spec says, got gray ones of {size[1]}×{size[0]}"
        )
    return faces.split(split).relabel(spec.labels)


def network_pixels(faces: FaceDataset) -> NDArray[np.uint8]:
    """The faces as networks take them: uint8 (n, height, width, 1)."""
    return faces.pixels[..., None]


def probabilities(
    model: ModelFile, pixels: NDArray[np.uint8], progress: Progress = iter
) -> NDArray[np.float32]:
    """float32 (n, labels) of uint8 (n, height, width, channels), one face at a time as the runtime does."""
    with Classifier(model, threads=max(LATENCY_THREADS)) as classifier:
        return np.stack([classifier.predict(face) for face in progress(pixels)])


def latency_ms(model: ModelFile, pixels: NDArray[np.uint8]) -> dict[str, float]:
    """The median time for one face in milliseconds, by the number of threads, after a warm-up."""
    medians = {}
    for threads in LATENCY_THREADS:
        with Classifier(model, threads=threads) as classifier:
            times = []
            for index in range(_WARM_UP + _TIMED):
                started = time.perf_counter()
                classifier.predict(pixels[index % len(pixels)])
                times.append(time.perf_counter() - started)
        medians[str(threads)] = round(1000 * float(np.median(times[_WARM_UP:])), 3)
    return medians


def agreement(reference: NDArray[np.float32], converted: NDArray[np.float32]) -> Agreement:
    """Between the probabilities, float32 (n, labels), of a network and of what was made of it."""
    difference = np.abs(reference.astype(np.float64) - converted)
    same = reference.argmax(axis=1) == converted.argmax(axis=1)
    return Agreement(float(same.mean()), float(difference.mean()), float(difference.max()))


def verify(
    model: ModelFile, faces: FaceDataset, split: str, data: str, progress: Progress = iter
) -> dict[str, Any]:
    """Quality and latency of a file on one split of a data set, in JSON's terms; ``data`` names the set."""
    test = faces_of(faces, split, model.spec, data)
    pixels = network_pixels(test)
    answers = probabilities(model, pixels, progress)
    return {
        "split": split,
        **compute_metrics(answers, test.labels, test.label_names),
        "latency_ms": latency_ms(model, pixels),
    }
