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
from fer_train.networks import Network, open_network

__all__ = ["Teachers", "open_teacher"]


class Teachers:
    """Some trained networks, asked together, by one thread at a time.

    ``temperature`` softens their answers: probabilities are raised to its inverse and renormalised, which
    is the softmax of logits divided by it.
    """

    def __init__(self, networks: Sequence[Network], temperature: float) -> None:
        self._networks = list(networks)
        self._temperature = temperature
        self._lock = Lock()  # an interpreter serves one thread at a time

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Their mean probabilities, float32 (batch, labels), for uint8 (batch, height, width) faces."""
        mirrored = pixels[:, :, ::-1]
        softened = []
        for network in self._networks:
            with self._lock:
                probabilities = (network(pixels).astype(np.float64) + network(mirrored)) / 2
            powers = np.maximum(probabilities, 1e-9) ** (1 / self._temperature)
            softened.append(powers / powers.sum(axis=1, keepdims=True))
        return np.asarray(np.mean(softened, axis=0), np.float32)


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
