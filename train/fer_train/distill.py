"""Teachers: trained networks whose probabilities a smaller one learns besides the labels.

After G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network" (2015); the teachers see
each picture as the student does, augmented (L. Beyer et al., "Knowledge distillation: A good teacher is
patient and consistent", 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import RunError
from fer_edge.spec import read_spec
from fer_train.run import MODEL_FILE, SPEC_FILE

__all__ = ["Teachers", "load_teacher"]


class Teachers:
    """Some trained networks, asked together.

    ``temperature`` softens their answers: probabilities are raised to its inverse and renormalised, which
    is the softmax of logits divided by it. ``bfloat16`` computes in that.
    """

    def __init__(
        self, networks: Sequence[keras.Model], temperature: float, *, bfloat16: bool = False
    ) -> None:
        self._networks = list(networks)
        self._temperature = temperature
        if bfloat16:
            for network in self._networks:
                _compute_in_bfloat16(network)

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Their mean probabilities, float32 (batch, labels), for float32 (batch, height, width, 1) pictures."""
        softened = []
        for network in self._networks:
            probabilities = np.asarray(network.predict_on_batch(pictures), np.float64)
            powers = np.maximum(probabilities, 1e-9) ** (1 / self._temperature)
            softened.append(powers / powers.sum(axis=1, keepdims=True))
        return np.asarray(np.mean(softened, axis=0), np.float32)


def load_teacher(run: Path, labels: tuple[str, ...]) -> keras.Model:
    """The network of a run folder that knows the same labels; raises RunError where there is none."""
    import fer_train.layers  # noqa: F401  (registers the layers that a saved network may name)

    model, spec = run / MODEL_FILE, run / SPEC_FILE
    if not model.is_file() or not spec.is_file():
        raise RunError(
            f"{run}: expected a teacher's run folder with {MODEL_FILE} and {SPEC_FILE}; "
            "train one with: fer-train fit DATA --arch wide-resnet --out RUN"
        )
    known = read_spec(spec).labels
    if known != labels:
        raise RunError(f"{run}: expected a teacher of {', '.join(labels)}, it knows {', '.join(known)}")
    return keras.saving.load_model(model, compile=False)


def _compute_in_bfloat16(network: keras.Model) -> None:
    """The last layer, the softmax, stays in float32."""
    for layer in network.layers[:-1]:
        layer.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
