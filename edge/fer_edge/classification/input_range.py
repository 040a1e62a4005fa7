"""The input range that a network expects, compared with the one fer-edge provides.

fer-edge gives every network (pixel - 128) / 64, which ranges from -2 to 1.98. A range is described by the mean and
the standard deviation, both in gray levels 0…255, that convert a pixel to the network's input:
``(pixel - mean) / std``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import normalize
from fer_edge.models.spec import PIXEL_MEAN, PIXEL_SCALE

__all__ = [
    "GUIDE",
    "build_pixel_table",
    "describe_mismatch",
    "find_range",
    "is_own_range",
    "preserves_gray_levels",
]

GUIDE: Final = 'docs/conversion.md, "Networks from elsewhere"'
"""The documentation that explains the remedies."""

_KNOWN: Final = ((PIXEL_MEAN, PIXEL_SCALE), (0.0, 255.0), (127.5, 127.5), (0.0, 1.0))
_MAX_CLIPPED: Final = 4  # gray levels clipped at either end of the range
_MIN_LEVELS: Final = 192  # of the 256 gray levels that remain distinct
_TOLERANCE: Final = 0.5  # gray levels, for the mean and the standard deviation


def build_pixel_table(kind: type[np.integer[Any]], scale: float, zero_point: int) -> NDArray[np.integer[Any]]:
    """Quantize (pixel - 128) / 64 for each pixel value 0…255; returns shape (256,).

    ``scale`` and ``zero_point`` are those of the input. Values outside the range of the type are clipped.
    """
    limits = np.iinfo(kind)
    values = np.rint(normalize(np.arange(256, dtype=np.uint8)).astype(np.float64) / scale) + zero_point
    return np.asarray(np.clip(values, limits.min, limits.max), kind)


def preserves_gray_levels(table: NDArray[np.integer[Any]]) -> bool:
    """Return whether a pixel table keeps nearly all gray levels distinct.

    It must also clip hardly any of them. The table is from :func:`build_pixel_table`.
    """
    clipped = max(np.count_nonzero(table == table[0]), np.count_nonzero(table == table[-1])) - 1
    return bool(clipped <= _MAX_CLIPPED and len(np.unique(table)) >= _MIN_LEVELS)


def find_range(kind: type[np.integer[Any]], scale: float, zero_point: int) -> tuple[float, float]:
    """Find the mean and standard deviation with which a quantized input covers 0…255.

    Returns one of the usual ranges if it matches to within a step at both ends.
    """
    limits = np.iinfo(kind)
    low, high = scale * (limits.min - zero_point), scale * (limits.max - zero_point)
    for mean, std in _KNOWN:
        if max(abs(-mean / std - low), abs((255 - mean) / std - high)) <= 1.01 * scale:
            return mean, std
    std = 255 / (high - low)
    return -low * std, std


def is_own_range(means: Sequence[float], stds: Sequence[float]) -> bool:
    """Return whether a range, given once or per channel, is fer-edge's own."""
    return bool(
        np.allclose(means, PIXEL_MEAN, rtol=0, atol=_TOLERANCE)
        and np.allclose(stds, PIXEL_SCALE, rtol=0, atol=_TOLERANCE)
    )


def describe_mismatch(means: Sequence[float], stds: Sequence[float]) -> str:
    """Describe the expected and the provided range, and the layer that converts one."""
    same = len(set(means)) == 1 and len(set(stds)) == 1
    if same:
        means, stds = means[:1], stds[:1]
    formulas = [_format_formula(mean, std) for mean, std in zip(means, stds, strict=True)]
    scales = [f"{PIXEL_SCALE} / {std:.6g}" if std != 1 else f"{PIXEL_SCALE}" for std in stds]
    offsets = [
        f"{PIXEL_MEAN - mean:.6g} / {std:.6g}" if std != 1 else f"{PIXEL_MEAN - mean:.6g}"
        for mean, std in zip(means, stds, strict=True)
    ]
    scale, offset = (texts[0] if same else f"[{', '.join(texts)}]" for texts in (scales, offsets))
    return (
        f"expects {', '.join(formulas)}, but fer-edge provides (pixel - {PIXEL_MEAN}) / {PIXEL_SCALE}; put "
        f"keras.layers.Rescaling({scale}, offset={offset}) in front and convert it again ({GUIDE})"
    )


def _format_formula(mean: float, std: float) -> str:
    name = {(0.0, 255.0): " (0 to 1)", (127.5, 127.5): " (-1 to 1)", (0.0, 1.0): " (0 to 255)"}.get(
        (mean, std), ""
    )
    shifted = f"(pixel - {mean:.6g})" if mean else "pixel"
    return f"{shifted} / {std:.6g}{name}" if std != 1 else f"{shifted}{name}"
