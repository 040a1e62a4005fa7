"""Teachers: trained networks whose probabilities another one learns besides the labels.

After G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network" (2015); the teachers see
each image as the student does, augmented (L. Beyer et al., "Knowledge distillation: A good teacher is
patient and consistent", 2022), and its mirror image, because the mean of the two is right more often.
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
    """Some trained networks, of which one thread at a time gets the mean; answers known before count as well.

    ``temperature`` softens all answers (:func:`apply_temperature`). ``known`` is the number of teachers whose
    mean is handed in with each batch.
    """

    def __init__(self, networks: Sequence[Predictor], temperature: float, known: int = 0) -> None:
        self._networks = list(networks)
        self._temperature = temperature
        self._known = known
        self._lock = Lock()  # an interpreter serves one thread at a time

    def __call__(
        self, pixels: NDArray[np.uint8], known: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Compute their mean probabilities, float32 (batch, labels), for uint8 (batch, height, width) faces.

        ``known`` are other teachers' mean probabilities, softened, of the same shape.
        """
        answers = []
        for network in self._networks:
            with self._lock:
                answers.append(apply_temperature(predict_with_flip(network, pixels), self._temperature))
        if known is not None:
            answers += [known] * self._known
        return np.asarray(np.mean(answers, axis=0), np.float32)


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Raise probabilities (n, labels) to 1/temperature and renormalize: the softmax of logits divided by it."""
    powers = np.maximum(probabilities.astype(np.float64), 1e-9) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def describe_teachers(networks: Sequence[Predictor]) -> str:
    """Name networks and the beginnings of their files' hashes, for the provenance of what learns from them."""
    return ", ".join(f"{network.spec.name} {sha256_of_file(network.path)[:8]}" for network in networks)


def open_teacher(model: Path, labels: tuple[str, ...], *, bfloat16: bool = False) -> Predictor:
    """Open the network of a run folder, ``.keras`` or ``.tflite`` file, or the bundled one, that has the same labels.

    Raises ModelError or ContractError where there is none, RunError when it has others.
    """
    teacher = open_predictor(model, bfloat16=bfloat16)
    if teacher.spec.labels != labels:
        raise RunError(
            f"{model}: expected a teacher of {', '.join(labels)}, it knows {', '.join(teacher.spec.labels)}"
        )
    return teacher
