"""Whether what a network puts out are probabilities, and otherwise what they are."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.input_range import GUIDE

__all__ = ["find_fault"]

_SOFTMAX: Final = (
    f"end the network in a softmax: keras.Model(model.input, keras.layers.Softmax()(model.output)) ({GUIDE})"
)
_FLOAT_TOLERANCE: Final = 0.01
_SOFTMAX_STEP: Final = 1 / 256  # of every softmax of TFLite's in int8 and uint8
_MOST_INTEGER_TOLERANCE: Final = 0.05  # and a step of 1/512 for each label: small probabilities round to 0


def find_fault(outputs: NDArray[np.float32], step: float) -> str | None:
    """What keeps outputs from being probabilities, and what to do about it; None where they are.

    ``outputs`` are float32 (images, labels), dequantized; ``step`` is the distance between two quantized
    numbers, 0 for a float output. Rounding to steps is allowed for.
    """
    if not np.isfinite(outputs).all():
        return (
            f"are not finite ({_show(outputs[~np.isfinite(outputs).all(axis=1)][0])}): "
            "its weights are damaged, or a layer overflows; train or convert it again"
        )
    step = step or _find_step(outputs)
    labels, sums = outputs.shape[1], outputs.sum(axis=1)
    tolerance = min(labels * step, _MOST_INTEGER_TOLERANCE + labels / 512) if step else _FLOAT_TOLERANCE
    margin = max(step, _FLOAT_TOLERANCE)
    within = bool(outputs.min() >= -margin and outputs.max() <= 1 + margin)
    if within and (np.abs(sums - 1) <= tolerance).all():
        return None
    shown = _show(outputs[int(np.abs(sums - 1).argmax())])
    if outputs.max() <= margin and (np.abs(np.exp(outputs).sum(axis=1) - 1) <= labels * margin).all():
        return f"are logarithms of probabilities ({shown}); leave the logarithm out: {_SOFTMAX}"
    if within and outputs.min() >= 1 - margin:
        return f"are all 1: its softmax runs along an axis of one value; flatten before it, and {_SOFTMAX}"
    if within:
        return f"do not add up to 1 ({shown}), as of a sigmoid for each label; in its place, {_SOFTMAX}"
    if outputs.min() >= -margin and np.ptp(sums) <= 0.02 * sums.mean():
        factor = f"{sums.mean():.3g}"
        return (
            f"add up to {factor} ({shown}), not to 1; end the network in keras.layers.Rescaling(1 / {factor}) "
            f"({GUIDE})"
        )
    return f"are not probabilities but logits ({shown}); {_SOFTMAX}"


def _find_step(outputs: NDArray[np.float32]) -> float:
    """1/256 where all outputs are multiples of it: of a network that is quantized inside, with a float output."""
    steps = outputs.astype(np.float64) / _SOFTMAX_STEP
    return _SOFTMAX_STEP if np.abs(steps - np.rint(steps)).max() < 1e-3 else 0.0


def _show(outputs: NDArray[np.float32]) -> str:
    """The first numbers, for a message."""
    return ", ".join(f"{value:.3g}" for value in outputs[:4].tolist()) + (", …" if len(outputs) > 4 else "")
