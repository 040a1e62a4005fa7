"""Parsing of a table's header: its delimiter and its columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.errors import DataError

__all__ = ["PIXELS", "SIDE", "TableLayout", "read_layout"]

SIDE: Final = 48  # pixels
PIXELS: Final = SIDE * SIDE
_DELIMITERS: Final = (",", ";", "\t", "|")
_OUTER: Final = " \"'\t\r\n\ufeff"  # characters allowed around a column's name
# Names of a column in various tables; the first is FER-2013's.
_EMOTION: Final = ("emotion", "emotions", "label", "labels", "class", "expression")
_PIXELS: Final = ("pixels", "pixel", "image", "images")
_USAGE: Final = ("usage", "split", "set", "subset")
_PIXEL_COLUMN: Final = re.compile(r"(?:pixels?|px|p)?[ _.-]?(\d{1,5})")
_MIN_COLUMNS: Final = 16  # fewer numbered columns are not pixels
_VOTES: Final = frozenset({"neutral", "happiness", "surprise", "sadness", "anger", "nf"})


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The layout of a table's rows.

    ``delimiter`` separates the ``width`` fields of a row. ``emotion`` and ``usage`` are columns, counted from 0;
    ``usage`` is None if the table has no such column. ``pixels`` are the columns of the gray levels: one for all, or
    2,304. ``assumptions`` are messages about how the header was interpreted.
    """

    delimiter: str
    width: int
    emotion: int
    pixels: tuple[int, ...]
    usage: int | None
    assumptions: tuple[str, ...]

    @property
    def columns(self) -> tuple[int, ...]:
        """Columns of emotion, Usage (if there is one) and pixels, in this order."""
        return (self.emotion, *(() if self.usage is None else (self.usage,)), *self.pixels)


def read_layout(name: str, header: str) -> TableLayout:
    """Parse the first line of a table; ``name`` names the table in messages.

    The columns can be in any order, with others in between, in any case, and have other common names. Pixels are one
    column, or 2,304 numbered ones. Raises DataError that names a missing column.
    """
    layouts = [_Columns(header, delimiter) for delimiter in _DELIMITERS]
    columns = max(layouts, key=lambda found: found.recognized)
    if len(columns.emotion) != 1 or len(columns.usage) > 1 or len(columns.pixels) not in (1, PIXELS):
        raise _describe_missing(name, header, columns)
    found = ((columns.emotion, "emotion"), (columns.pixels, "pixels"), (columns.usage, "Usage"))
    renamed = [
        f"{columns.names[places[0]]} as {meant}"
        for places, meant in found
        if len(places) == 1 and columns.names[places[0]].lower() != meant.lower()
    ]
    return TableLayout(
        delimiter=columns.delimiter,
        width=len(columns.names),
        emotion=columns.emotion[0],
        pixels=tuple(columns.pixels),
        usage=columns.usage[0] if columns.usage else None,
        assumptions=(f"interpreting columns: {', '.join(renamed)}",) if renamed else (),
    )


class _Columns:
    """The columns of a header for one delimiter.

    ``emotion``, ``usage`` and ``pixels`` are the indices of the columns that may have this meaning.
    """

    def __init__(self, header: str, delimiter: str) -> None:
        self.delimiter = delimiter
        try:
            fields = next(csv.reader([header], delimiter=delimiter, skipinitialspace=delimiter != "\t"), [])
        except csv.Error:  # not a table: there is a carriage return in the middle
            fields = []
        self.names = [field.strip(_OUTER) for field in fields]
        lowered = [name.lower() for name in self.names]
        self.emotion = _find(lowered, _EMOTION)
        self.usage = _find(lowered, _USAGE)
        self.pixels = _find(lowered, _PIXELS) or _find_numbered(lowered)

    @property
    def recognized(self) -> int:
        """Number of recognized columns."""
        return len(self.emotion) + len(self.usage) + len(self.pixels)


def _find(names: Sequence[str], meanings: Sequence[str]) -> list[int]:
    """Return the columns with FER-2013's name, or else with another known name."""
    exact = [place for place, name in enumerate(names) if name == meanings[0]]
    return exact or [place for place, name in enumerate(names) if name in meanings]


def _find_numbered(names: Sequence[str]) -> list[int]:
    """Return the columns of single pixels, ``pixel0`` to ``pixel2303``, in order."""
    numbered = {
        int(match[1]): place for place, name in enumerate(names) if (match := _PIXEL_COLUMN.fullmatch(name))
    }
    first = min(numbered, default=0)
    if (
        len(numbered) < _MIN_COLUMNS
        or first > 1
        or sorted(numbered) != list(range(first, first + len(numbered)))
    ):
        return []
    return [numbered[number] for number in sorted(numbered)]


def _describe_missing(name: str, header: str, columns: _Columns) -> DataError:
    lowered = {column.lower() for column in columns.names}
    shown = repr(header.strip()[:60])
    if len(lowered & _VOTES) >= 5:
        return DataError(
            f"{name}: this is the file of FER+ votes, not of faces",
            hint="use fer2013.csv as DATA and this file as --votes",
        )
    if len(re.findall(r"\d+", header)) >= 1000 and not columns.recognized:
        return DataError(
            f"{name}: the table has no header, as its first line is a face; "
            "add a first line with the names of the columns, such as emotion,pixels,Usage"
        )
    if len(columns.pixels) >= _MIN_COLUMNS and len(columns.pixels) != PIXELS:
        return DataError(
            f"{name}: the table has {len(columns.pixels):,} columns of pixels, but a face has {PIXELS:,} "
            f"({SIDE}×{SIDE}); resize the faces, or save them as images of any size in train/<label>/"
        )
    if columns.pixels and not columns.emotion:
        return DataError(
            f"{name}: the table has no column emotion (like the competition's test.csv), so its faces have no labels; "
            "use icml_face_data.csv from the same download"
        )
    for places, what in ((columns.emotion, "emotion"), (columns.pixels, "pixels"), (columns.usage, "Usage")):
        if 1 < len(places) < PIXELS:
            both = " and ".join(columns.names[place] or "?" for place in places[:3])
            return DataError(
                f"{name}: cannot tell which of the columns {both} is the column {what}; "
                f"name one of them {what} and rename the others"
            )
    missing = " and ".join(
        what for places, what in ((columns.emotion, "emotion"), (columns.pixels, "pixels")) if not places
    )
    return DataError(
        f"{name}: a table of faces needs the columns emotion, pixels and Usage, but its first line {shown} "
        f"lacks {missing}"
    )
