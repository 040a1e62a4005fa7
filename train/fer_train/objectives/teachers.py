"""Teachers: trained networks whose probabilities another network learns.

G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network" (2015). The teachers get the same
augmented image as the student (L. Beyer et al., "Knowledge distillation: A good teacher is patient and consistent",
2022), and its mirror image, because the mean of both predictions is more accurate.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.models.loading import Predictor, open_predictor
from fer_train.models.prediction import predict_with_flip

__all__ = ["TeacherEnsemble", "apply_temperature", "describe_teachers", "open_teacher"]


class TeacherEnsemble:
    """Mean prediction of several trained networks, usable from several threads.

    ``temperature`` softens all predictions (:func:`apply_temperature`). ``precomputed_count`` is the number of
    additional teachers whose mean prediction is passed in with each batch.
    """

    def __init__(self, networks: Sequence[Predictor], temperature: float, precomputed_count: int = 0) -> None:
        self._networks = list(networks)
        self._temperature = temperature
        self._precomputed_count = precomputed_count
        self._lock = Lock()  # an interpreter can be used by one thread at a time

    def __call__(
        self, pixels: NDArray[np.uint8], precomputed: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Compute the mean probabilities of a batch, float32 (batch, labels).

        ``pixels`` is uint8 (batch, height, width). ``precomputed`` is the mean of the additional teachers' softened
        probabilities, of the same shape.
        """
        answers = []
        for network in self._networks:
            with self._lock:
                answers.append(apply_temperature(predict_with_flip(network, pixels), self._temperature))
        if precomputed is not None:
            answers += [precomputed] * self._precomputed_count
        return np.asarray(np.mean(answers, axis=0), np.float32)


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Soften probabilities, (n, labels), with a temperature.

    This is the same as dividing their logits by the temperature: the probabilities are raised to the power of
    1/temperature and renormalized.
    """
    powers = np.maximum(probabilities.astype(np.float64), 1e-9) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def describe_teachers(networks: Sequence[Predictor]) -> str:
    """Return the networks' names and short hashes, for their students' provenance."""
    return ", ".join(f"{network.spec.name} {sha256_of_file(network.path)[:8]}" for network in networks)


def open_teacher(model: Path, labels: tuple[str, ...], *, bfloat16: bool = False) -> Predictor:
    """Open a teacher with the given labels.

    It is a run folder, ``.keras`` or ``.tflite`` file, or bundled model. Raises ModelError or ContractError if it
    cannot be opened, RunError if it has other labels.
    """
    teacher = open_predictor(model, bfloat16=bfloat16)
    if teacher.spec.labels != labels:
        raise RunError(
            f"{model}: expected a teacher with the labels {', '.join(labels)}, got {', '.join(teacher.spec.labels)}"
        )
    return teacher
