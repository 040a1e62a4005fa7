"""Settings of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fer_edge.models.spec import Variant

__all__ = ["DEFAULT_MAX_DROP", "DEFAULT_SAMPLES", "DEFAULT_SPLIT", "ENOUGH_FACES", "ConversionOptions"]

DEFAULT_SAMPLES: Final = 500
DEFAULT_SPLIT: Final = "PublicTest"
DEFAULT_MAX_DROP: Final = 1.0
"""Accepted loss of accuracy of a file, in percentage points."""
ENOUGH_FACES: Final = 300
"""Number of faces needed to judge a loss of accuracy, which is otherwise due to a few faces."""


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """Settings of a conversion.

    ``samples`` faces of Training, chosen with ``seed``, calibrate int8; every file is evaluated on all faces of
    ``split``.
    """

    variants: tuple[Variant, ...]
    samples: int = DEFAULT_SAMPLES
    seed: int = 0
    split: str = DEFAULT_SPLIT
