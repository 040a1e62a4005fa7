"""The settings of a conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fer_edge.models.spec import Variant

__all__ = ["DEFAULT_MAX_DROP", "DEFAULT_SAMPLES", "DEFAULT_SPLIT", "ENOUGH_FACES", "ConversionOptions"]

DEFAULT_SAMPLES: Final = 500
DEFAULT_SPLIT: Final = "PublicTest"
DEFAULT_MAX_DROP: Final = 1.0
"""The accuracy, in percentage points, that a file may lose."""
ENOUGH_FACES: Final = 300
"""Of a split with fewer, a loss of accuracy is a few faces and says little."""


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """What is converted, calibrated and measured.

    ``samples`` faces of Training, selected with ``seed``, calibrate int8; all faces of ``split`` measure
    every file.
    """

    variants: tuple[Variant, ...]
    samples: int = DEFAULT_SAMPLES
    seed: int = 0
    split: str = DEFAULT_SPLIT
