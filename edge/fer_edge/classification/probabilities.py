"""Check whether outputs are probabilities, and explain what they are otherwise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.input_range import GUIDE

__all__ = ["find_fault"]

_SOFTMAX: Final = (
    "end the network with a softmax: keras.Model(model.input, keras.layers.Softmax()(model.output)) "
    f"({GUIDE})"
)
_FLOAT_TOLERANCE: Final = 0.01
_SOFTMAX_STEP: Final = 1 / 256  # the step of every int8 and uint8 softmax in TFLite
_MAX_INTEGER_TOLERANCE: Final = 0.05  # plus 1/512 per label: small probabilities round to 0


def find_fault(outputs: NDArray[np.float32], step: float) -> str | None:
    """Explain why outputs are not probabilities and what to do; None if they are.

    ``outputs`` are float32 (images, labels), dequantized. ``step`` is the distance between two quantized values, 0
    for a float output. Rounding to steps is tolerated.
    """
    if not np.isfinite(outputs).all():
        return (
            f"are not finite ({_format_outputs(outputs[~np.isfinite(outputs).all(axis=1)][0])}): "
            "the weights are damaged or a layer overflows; train or convert the model again"
        )
    step = step or _find_step(outputs)
    labels, sums = outputs.shape[1], outputs.sum(axis=1)
    tolerance = min(labels * step, _MAX_INTEGER_TOLERANCE + labels / 512) if step else _FLOAT_TOLERANCE
    margin = max(step, _FLOAT_TOLERANCE)
    within = bool(outputs.min() >= -margin and outputs.max() <= 1 + margin)
    if within and (np.abs(sums - 1) <= tolerance).all():
        return None
    shown = _format_outputs(outputs[int(np.abs(sums - 1).argmax())])
    if outputs.max() <= margin and (np.abs(np.exp(outputs).sum(axis=1) - 1) <= labels * margin).all():
        return f"are log-probabilities ({shown}); remove the logarithm and {_SOFTMAX}"
    if within and outputs.min() >= 1 - margin:
        return f"are all 1: the softmax runs along an axis of length 1; flatten before it and {_SOFTMAX}"
    if within:
        return f"do not sum to 1 ({shown}), as with a sigmoid per label; instead, {_SOFTMAX}"
    if outputs.min() >= -margin and np.ptp(sums) <= 0.02 * sums.mean():
        factor = f"{sums.mean():.3g}"
        return (
            f"sum to {factor} ({shown}) instead of 1; end the network with keras.layers.Rescaling(1 / {factor}) "
            f"({GUIDE})"
        )
    return f"are logits, not probabilities ({shown}); {_SOFTMAX}"


def _find_step(outputs: NDArray[np.float32]) -> float:
    """Return 1/256 if all outputs are multiples of it, otherwise 0.

    This detects a network that is quantized inside but has a float output.
    """
    steps = outputs.astype(np.float64) / _SOFTMAX_STEP
    return _SOFTMAX_STEP if np.abs(steps - np.rint(steps)).max() < 1e-3 else 0.0


def _format_outputs(outputs: NDArray[np.float32]) -> str:
    """Format the first values for a message."""
    return ", ".join(f"{value:.3g}" for value in outputs[:4].tolist()) + (", …" if len(outputs) > 4 else "")
