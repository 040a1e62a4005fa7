"""Parsing of the fields of a face in a table: emotion, Usage and gray levels."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from fer_edge.models.spec import FER2013_LABELS
from fer_edge.sources.images import IMAGE_SUFFIXES
from fer_train.data.readers.label_names import CONTEMPT, canonicalize_label
from fer_train.data.readers.split_names import find_split
from fer_train.data.readers.table_layout import PIXELS, SIDE

__all__ = ["GRAY", "FieldError", "parse_emotion", "parse_levels", "parse_number", "parse_usage"]

GRAY: Final = {str(value): value for value in range(256)}
"""Gray levels by their text; a lookup is the fastest way to parse numbers and reject other text."""
_SEPARATORS: Final = str.maketrans(dict.fromkeys("[](){},;\t\r\n\"'", " "))


_NUMBER: Final = re.compile(r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+\.")


class FieldError(ValueError):
    """Error for a field that cannot be parsed.

    ``kind`` describes the error, ``found`` is the text of the field.
    """

    def __init__(self, kind: str, found: str | None = None) -> None:
        super().__init__(kind)
        self.kind, self.found = kind, found


def parse_emotion(text: str) -> int:
    """Parse an emotion: a number from 0 to 6, a name or a synonym.

    Returns its index in FER-2013's order. Raises FieldError.
    """
    name = canonicalize_label(text)
    if name in FER2013_LABELS:
        return FER2013_LABELS.index(name)
    number = parse_number(text)
    if number is not None and number < len(FER2013_LABELS):
        return number
    if number == len(FER2013_LABELS) or text.lower() == CONTEMPT:
        raise FieldError(
            f"the emotion {text!r}, which FER-2013 does not have (in ckextended.csv, 7 is {CONTEMPT})",
        )
    if not text:
        raise FieldError("no emotion")
    raise FieldError(
        f"an unknown emotion (expected 0 to {len(FER2013_LABELS) - 1} or {', '.join(FER2013_LABELS)})",
        repr(text[:40]),
    )


def parse_number(text: str) -> int | None:
    """Parse the number of an emotion, such as ``3``, ``03`` or ``3.0``.

    Returns None for other text.
    """
    number = re.fullmatch(r"([0-9]{1,9})(?:\.0*)?", text)
    return int(number[1]) if number else None


def parse_usage(text: str) -> str:
    """Parse a Usage, which may be ``test``, see :func:`find_split`; raises FieldError."""
    split = find_split(text)
    if split is None:
        raise FieldError("an unknown Usage (expected Training, PublicTest or PrivateTest)", repr(text[:40]))
    return split


def parse_levels(text: str) -> bytes:
    """Parse gray levels: whole numbers separated by spaces or commas.

    They can be in brackets. Returns 2,304 bytes, 48×48 gray levels, row by row. Raises FieldError.
    """
    words = text.translate(_SEPARATORS).split()
    if "..." in words or "…" in words:
        raise FieldError("pixels abbreviated with '...'; write all of them")
    if len(words) == 1 and words[0].lower().endswith(tuple(IMAGE_SUFFIXES)):
        raise FieldError(
            "the name of an image file instead of pixels (put images into folders, train/<label>/)",
            repr(words[0][-40:]),
        )
    if len(words) != PIXELS:
        side = round(len(words) ** 0.5)
        shape = f" ({side}×{side})" if side > 1 and side * side == len(words) else ""
        shape = f" ({SIDE}×{SIDE} in color)" if len(words) == 3 * PIXELS else shape
        raise FieldError(
            f"the wrong number of pixels (expected {PIXELS:,}, {SIDE}×{SIDE}; images in train/<label>/ may have "
            "any size)",
            f"{len(words):,}{shape}",
        )
    try:
        return bytes(map(GRAY.__getitem__, words))
    except KeyError:
        return _parse_numbers(words)


def _parse_numbers(words: list[str]) -> bytes:
    """Parse gray levels with unusual notation, such as ``7.0``; raises FieldError."""
    values = np.full(len(words), np.nan)
    if all(map(_NUMBER.fullmatch, words)):
        values = np.array(words, np.float64)
    if ((values >= 0) & (values <= 255) & (values == np.round(values))).all():
        return values.astype(np.uint8).tobytes()
    if ((values >= 0) & (values <= 1)).all():
        raise FieldError("pixels from 0 to 1 (multiply them by 255 and round them)")
    wrong = next(word for word in words if word not in GRAY)
    raise FieldError("invalid pixels (expected whole numbers from 0 to 255)", repr(wrong[:40]))
