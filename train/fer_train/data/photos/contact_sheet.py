"""Contact sheet of all face crops by label, for a check before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.rendering.typeface import render_text
from fer_edge.runtime.tables import format_count
from fer_edge.sources.image_io import read_image

__all__ = ["MOST_SHOWN", "draw_contact_sheet"]

MOST_SHOWN: Final = 120
"""Largest number of crops shown per label; from more, an evenly spread sample is shown."""
_COLUMNS: Final = 12
_SIDE: Final = 96  # pixels of a crop on the sheet
_GAP: Final = 8
_NAME: Final = 16  # pixels: height of the line with a crop's name
_TITLE: Final = 34
_MARGIN: Final = 20
_PAPER: Final = 255
_INK: Final = (34, 34, 34)
_SOFT: Final = (105, 105, 105)


def draw_contact_sheet(crops: Mapping[str, Sequence[Path]]) -> NDArray[np.uint8]:
    """Draw the crops of each label with their names.

    Returns an image, uint8 (height, width, 3) BGR. ``crops`` maps each label to its files, in the order to show them.
    """
    shown = {label: _spread(paths) for label, paths in crops.items()}
    row_height = _SIDE + _NAME + _GAP
    rows = {label: -(-len(paths) // _COLUMNS) for label, paths in shown.items()}
    height = 2 * _MARGIN + sum(_TITLE + count * row_height for count in rows.values())
    width = 2 * _MARGIN + _COLUMNS * (_SIDE + _GAP) - _GAP
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    top = _MARGIN
    for label, paths in shown.items():
        total = len(crops[label])
        more = "" if total == len(paths) else f" ({len(paths)} shown)"
        _write(sheet, f"{label}: {format_count(total, 'face')}{more}", _MARGIN, top, 18, _INK, width)
        for index, path in enumerate(paths):
            row, column = divmod(index, _COLUMNS)
            left, y = _MARGIN + column * (_SIDE + _GAP), top + _TITLE + row * row_height
            sheet[y : y + _SIDE, left : left + _SIDE] = _read_thumbnail(path)
            _write(sheet, path.stem, left, y + _SIDE + 1, 11, _SOFT, _SIDE)
        top += _TITLE + rows[label] * row_height
    return sheet


def _spread(paths: Sequence[Path]) -> Sequence[Path]:
    if len(paths) <= MOST_SHOWN:
        return paths
    return [paths[index] for index in np.linspace(0, len(paths) - 1, MOST_SHOWN).round().astype(int)]


def _read_thumbnail(path: Path) -> NDArray[np.uint8]:
    image = read_image(path)
    return np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _write(
    sheet: NDArray[np.uint8], text: str, left: int, top: int, size: int, ink: tuple[int, int, int], room: int
) -> None:
    """Draw a line of text, shortened to ``room`` pixels."""
    mask = render_text(text, size).mask
    while mask.shape[1] > room and len(text) > 2:
        text = text[: max(1, len(text) * room // mask.shape[1] - 1)]
        mask = render_text(f"{text}…", size).mask
    part = sheet[top : top + mask.shape[0], left : left + mask.shape[1]]
    cover = mask[: part.shape[0], : part.shape[1], None] / 255
    part[:] = np.rint(part * (1 - cover) + np.array(ink) * cover).astype(np.uint8)
