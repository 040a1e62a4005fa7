"""Teachers: trained networks whose probabilities another one learns besides the labels.

After G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network" (2015); the teachers see
each picture as the student does, augmented (L. Beyer et al., "Knowledge distillation: A good teacher is
patient and consistent", 2022), and its mirror image, because the mean of the two is right more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_train.models.loading import Network, open_network

__all__ = ["Teachers", "mirrored_mean", "open_teacher", "softened"]


class Teachers:
    """Some trained networks, asked together, by one thread at a time; answers that are known already count, too.

    ``temperature`` softens all answers (:func:`softened`). ``known`` is how many teachers' mean is handed in
    with each question.
    """

    def __init__(self, networks: Sequence[Network], temperature: float, known: int = 0) -> None:
        self._networks = list(networks)
        self._temperature = temperature
        self._known = known
        self._lock = Lock()  # an interpreter serves one thread at a time

    def __call__(
        self, pixels: NDArray[np.uint8], known: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Their mean probabilities, float32 (batch, labels), for uint8 (batch, height, width) faces.

        ``known`` are other teachers' mean probabilities, softened, of the same shape.
        """
        answers = []
        for network in self._networks:
            with self._lock:
                answers.append(softened(mirrored_mean(network, pixels), self._temperature))
        if known is not None:
            answers += [known] * self._known
        return np.asarray(np.mean(answers, axis=0), np.float32)


def mirrored_mean(network: Network, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean probabilities, float32 (n, labels), of uint8 (n, height, width) faces and their mirror images."""
    return (network(pixels) + network(pixels[:, :, ::-1])) / np.float32(2)


def softened(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (n, labels) raised to 1/temperature and renormalised: the softmax of logits divided by it."""
    powers = np.maximum(probabilities.astype(np.float64), 1e-9) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def open_teacher(model: Path, labels: tuple[str, ...], *, bfloat16: bool = False) -> Network:
    """The network of a run folder, ``.keras`` or ``.tflite`` file, or the bundled one, that knows the same labels.

    Raises ModelError or ContractError where there is none, RunError when it knows others.
    """
    teacher = open_network(model, bfloat16=bfloat16)
    if teacher.spec.labels != labels:
        raise RunError(
            f"{model}: expected a teacher of {', '.join(labels)}, it knows {', '.join(teacher.spec.labels)}"
        )
    return teacher
