"""Soft labels: trained networks' probabilities for each training face.

The file replaces the networks as a teacher, so that a small machine can train with a teacher that needs a large one.
It contains a hash of each face, but no faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_train.data.dataset import FaceDataset
from fer_train.data.face_hashes import hash_faces
from fer_train.models.loading import Predictor
from fer_train.models.prediction import Progress, no_progress, predict, predict_with_flip
from fer_train.objectives.answer_files import (
    check_keys,
    check_labels,
    check_size,
    read_answer_file,
    write_answer_file,
)
from fer_train.objectives.teachers import describe_teachers

__all__ = ["SoftLabels", "compute_soft_labels", "read_soft_labels", "write_soft_labels"]

_KIND: Final = "soft labels"


@dataclass(frozen=True, slots=True, eq=False)
class SoftLabels:
    """Probabilities of n faces.

    ``keys``, uint64 (n,), are the hashes of the faces, sorted. ``probabilities`` is float16 (n, labels) with rows
    that sum to 1. ``origin`` names the networks that predicted them, for the provenance of models trained with them.
    """

    labels: tuple[str, ...]
    keys: NDArray[np.uint64]
    probabilities: NDArray[np.float16]
    origin: str

    def lookup(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Look up the probabilities of faces, float32 (n, labels).

        ``pixels`` is uint8 (n, height, width). Raises RunError if some of the faces have no soft labels.
        """
        keys = hash_faces(pixels)
        places = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        missing = int(np.count_nonzero(self.keys[places] != keys))
        if missing:
            raise RunError(
                f"{missing:,} of the {len(keys):,} training faces have no soft labels",
                hint="create the file from the same data with: fer-train soft-labels",
            )
        return np.asarray(self.probabilities[places], np.float32)


def compute_soft_labels(
    faces: FaceDataset, networks: Sequence[Predictor], progress: Progress = no_progress
) -> SoftLabels:
    """Compute the mean probabilities of networks for each face and its mirror image.

    All networks have the labels of the faces. ``progress`` wraps the batches. Raises DataError if there are too many
    faces for a file.
    """
    check_size(len(faces) * (8 + 2 * len(faces.label_names)), "use fewer faces")

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        answers = [predict_with_flip(network, pixels) for network in networks]
        return np.asarray(np.mean(answers, axis=0), np.float32)

    probabilities = predict(compute, faces.pixels, progress=progress, task="Running the teachers")
    keys, first = np.unique(hash_faces(faces.pixels), return_index=True)
    return SoftLabels(
        faces.label_names, keys, probabilities[first].astype(np.float16), describe_teachers(networks)
    )


def write_soft_labels(path: Path, soft: SoftLabels) -> None:
    """Write soft labels to a file whose name ends in ``.npz``; raises OutputError."""
    about = {"labels": soft.labels, "origin": soft.origin}
    write_answer_file(path, about, {"keys": soft.keys, "probabilities": soft.probabilities})


def read_soft_labels(path: Path, labels: tuple[str, ...]) -> SoftLabels:
    """Read a file of soft labels.

    Raises DataError for another file, RunError for other labels.
    """
    soft = read_answer_file(path, _KIND, _build)
    check_labels(path, _KIND, soft.labels, labels)
    return soft


def _build(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> SoftLabels:
    """Build soft labels from a file's content.

    Raises ValueError, KeyError or TypeError.
    """
    soft = SoftLabels(tuple(about["labels"]), arrays["keys"], arrays["probabilities"], str(about["origin"]))
    count = len(soft.keys)
    check_keys(soft.keys)
    if (soft.keys[1:] <= soft.keys[:-1]).any() or not all(isinstance(label, str) for label in soft.labels):
        raise ValueError("its keys are not sorted or its labels are not text")
    if soft.probabilities.dtype != np.float16 or soft.probabilities.shape != (count, len(soft.labels)):
        raise ValueError(f"its probabilities are {soft.probabilities.dtype} {soft.probabilities.shape}")
    sums = soft.probabilities.astype(np.float32).sum(axis=1)
    if not ((soft.probabilities >= 0).all() and np.allclose(sums, 1, atol=0.01)):
        raise ValueError("its rows are not probabilities")
    return soft
