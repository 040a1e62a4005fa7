"""Reader of FER-2013 as a CSV table, with one row of 2,304 gray levels per face.

The table is read in chunks with pandas.
"""

from __future__ import annotations

import csv
import logging
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.readers.fields import (
    GRAY,
    FieldError,
    parse_emotion,
    parse_levels,
    parse_number,
    parse_usage,
)
from fer_train.data.readers.label_names import FER2013_NUMBERS
from fer_train.data.readers.row_problems import RowProblems
from fer_train.data.readers.split_names import ALL_TRAINING, MERGED_TEST, resolve_merged_test
from fer_train.data.readers.table_layout import PIXELS, SIDE, TableLayout
from fer_train.data.readers.table_text import CheckedRows, open_lines, read_header
from fer_train.optional_packages import import_pandas

if TYPE_CHECKING:
    import pandas

__all__ = ["FaceTable", "read_fer2013_csv"]

_LOG: Final = logging.getLogger(__name__)
_CHUNK: Final = 512  # rows; 5 MB of text
_OUTER: Final = " \"'\t\r\n"  # characters allowed around a field
_USAGES: Final = ("Training", "PublicTest", "PrivateTest", MERGED_TEST, "")
_CODES: Final = {usage: code for code, usage in enumerate(_USAGES)}
_EMPTY: Final = _CODES[""]
_MAX_KNOWN: Final = 1000  # parsed values remembered per column


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FaceTable:
    """The faces of a table, in its order.

    ``pixels`` is uint8 (n, 48, 48). ``labels``, int64 (n,), are in FER-2013's order. ``usages``, uint8 (n,), are 0 for
    Training, 1 for PublicTest and 2 for PrivateTest. ``rows``, int64 (n,), are the rows of the table below its header,
    counted from 0. ``notes`` are messages about how the table was interpreted and labels that a split lacks.
    ``is_complete`` is False if rows were skipped.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usages: NDArray[np.uint8]
    rows: NDArray[np.int64]
    notes: tuple[str, ...]
    is_complete: bool


def read_fer2013_csv(name: str, stream: IO[bytes], limit: int, *, skip_unreadable: bool = False) -> FaceTable:
    """Read the faces of ``fer2013.csv`` or a similar table.

    ``name`` names the table in messages; ``limit`` is the maximum number of bytes. Only the faces and one chunk of
    text are in memory. Raises DataError that names all rows that cannot be read by their line numbers, which count
    from 1 and include the header. With ``skip_unreadable`` this is a warning, unless no row can be read. Raises
    MissingExtraError if pandas is not installed.
    """
    lines = open_lines(name, stream)
    layout, header_line = read_header(name, lines)
    problems = RowProblems()
    rows = CheckedRows(name, lines, layout, problems, first=header_line, limit=limit)
    faces = _Faces(layout, rows, problems)
    for chunk in _read_chunks(rows, layout):
        faces.add(chunk)
    if not problems.rows:
        raise DataError(f"{name}: the table has no faces below its header; download it again")
    faces.check_numbers(name)
    faces.resolve_usages(name)
    is_cut_off = rows.ends_within_line and problems.replace(rows.last_line, "the last row is truncated")
    if not problems:
        return faces.build_table(layout.assumptions)
    if not skip_unreadable or not len(faces.labels):
        remedy = "download the file again" if is_cut_off else "correct them"
        raise DataError(
            f"{name}: {problems.describe()}; {remedy}",
            hint="or skip them with --skip-unreadable" if len(faces.labels) else None,
        )
    _LOG.warning("%s: %s; skipped", name, problems.describe())
    return faces.build_table(layout.assumptions)


class _ParsedValues(Generic[_T]):
    """The values of a column by their text, each parsed once."""

    def __init__(self, parse: Callable[[str], _T]) -> None:
        self._parse = parse
        self.known: dict[str, _T | FieldError] = {}

    def look_up(self, text: str) -> _T:
        """Return the value for a text; raises FieldError."""
        meaning = self.known.get(text)
        if meaning is None:
            try:
                meaning = self._parse(text)
            except FieldError as error:
                meaning = error
            if len(self.known) < _MAX_KNOWN:
                self.known[text] = meaning
        if isinstance(meaning, FieldError):
            raise meaning
        return meaning


class _Faces:
    """The faces read so far, in buffers that grow in place to avoid copies."""

    def __init__(self, layout: TableLayout, source: CheckedRows, problems: RowProblems) -> None:
        self._layout, self._source, self._problems = layout, source, problems
        self._emotions = _ParsedValues(parse_emotion)
        self._usages = _ParsedValues(lambda text: parse_usage(text) if text else "")
        self.pixels, self.labels, self.usages, self.places = bytearray(), array("q"), bytearray(), array("q")
        self._notes: list[str] = []

    def add(self, chunk: pandas.DataFrame) -> None:
        """Add the faces of a chunk, whose index counts all rows passed on to pandas."""
        levels_from = 1 if self._layout.usage is None else 2
        for place, *fields in chunk.itertuples(name=None):
            try:
                label = self._emotions.look_up(fields[0].strip(_OUTER))
                split = self._usages.look_up(fields[1].strip(_OUTER)) if levels_from == 2 else ""
                face = _read_levels(fields[levels_from:])
            except FieldError as error:
                self._problems.add(self._source.lines[place], error.kind, error.found)
                continue
            self.labels.append(label)
            self.usages.append(_CODES[split])
            self.places.append(place)
            self.pixels += face

    def check_numbers(self, name: str) -> None:
        """Raise DataError if the emotions are numbered from 1.

        Their order may not be that of FER-2013.
        """
        numbers = {parse_number(text) for text in self._emotions.known}
        if 7 in numbers and 0 not in numbers:
            raise DataError(
                f"{name}: the emotions are numbered up to 7 without a 0, so the meaning of the numbers is unclear; "
                f"write names such as happy into the column emotion, or FER-2013's numbers ({FER2013_NUMBERS})"
            )

    def resolve_usages(self, name: str) -> None:
        """Assign every face to one of FER-2013's splits.

        Faces without a Usage are skipped if others have one.
        """
        usages = np.frombuffer(self.usages, np.uint8)
        present = {_USAGES[code] for code in np.unique(usages)}
        if present == {""}:
            self.usages = bytearray(len(usages))
            self._notes.append(
                f"the table has no test faces, as the column Usage is missing or empty: {ALL_TRAINING}"
            )
        elif MERGED_TEST in present:
            meant = resolve_merged_test(present)
            if meant in present:
                raise DataError(
                    f"{name}: there are rows with the Usage test besides PublicTest and {meant}; "
                    f"change it to one of these, or remove the rows"
                )
            self.usages = self.usages.replace(bytes([_CODES[MERGED_TEST]]), bytes([_CODES[meant]]))
            self._usages.known |= {
                text: meant for text, split in self._usages.known.items() if split == MERGED_TEST
            }
        if "" in present and len(present) > 1:
            self._leave_out(usages == _EMPTY)

    def _leave_out(self, unused: NDArray[np.bool_]) -> None:
        for place in np.flatnonzero(unused):
            self._problems.add(self._source.lines[self.places[place]], "no Usage")
        pixels = np.frombuffer(self.pixels, np.uint8).reshape(-1, PIXELS)[~unused]
        labels, usages, places = (np.array(kept)[~unused] for kept in (self.labels, self.usages, self.places))
        self.pixels, self.usages = bytearray(pixels.tobytes()), bytearray(usages.tobytes())
        self.labels, self.places = array("q", labels.tolist()), array("q", places.tolist())

    def build_table(self, assumptions: tuple[str, ...]) -> FaceTable:
        """Build the table; ``assumptions`` are messages about its header."""
        labels, usages = np.array(self.labels, np.int64), np.frombuffer(self.usages, np.uint8)
        return FaceTable(
            np.frombuffer(self.pixels, np.uint8).reshape(-1, SIDE, SIDE),
            labels,
            usages,
            np.array(self._source.numbers, np.int64)[np.array(self.places, np.int64)],
            (
                *assumptions,
                *self._describe_interpretations(),
                *self._notes,
                *self._describe_missing(labels, usages),
            ),
            is_complete=not self._problems,
        )

    def _describe_interpretations(self) -> Iterator[str]:
        names = {
            text: FER2013_LABELS[label]
            for text, label in self._emotions.known.items()
            if isinstance(label, int) and parse_number(text) is None
        }
        for column, meanings in (("emotion", names), ("Usage", self._usages.known)):
            renamed = [f"{text} as {name}" for text, name in meanings.items() if _is_renamed(text, name)]
            if renamed:
                yield f"interpreting the column {column}: {', '.join(renamed)}"

    def _describe_missing(self, labels: NDArray[np.int64], usages: NDArray[np.uint8]) -> Iterator[str]:
        for usage in np.unique(usages):
            missing = sorted(set(range(len(FER2013_LABELS))) - set(labels[usages == usage].tolist()))
            if missing:
                names = ", ".join(FER2013_LABELS[label] for label in missing)
                is_numbered = any(parse_number(text) is not None for text in self._emotions.known)
                numbers = (
                    f" (numbers are interpreted as FER-2013's: {FER2013_NUMBERS})" if is_numbered else ""
                )
                yield f"the split {_USAGES[usage]} has no faces of: {names}{numbers}"


def _is_renamed(text: str, name: object) -> bool:
    return isinstance(name, str) and text.lower() != name.lower()


def _read_levels(levels: list[str]) -> bytes:
    """Read a face's gray levels, 2,304 bytes, from one field or 2,304 fields.

    Raises FieldError.
    """
    words = levels[0].split() if len(levels) == 1 else levels
    if len(words) == PIXELS:
        try:
            return bytes(map(GRAY.__getitem__, words))
        except KeyError:
            pass
    return parse_levels(" ".join(levels))


def _read_chunks(rows: CheckedRows, layout: TableLayout) -> Iterator[pandas.DataFrame]:
    """Yield chunks of rows with the text of emotion, Usage (if any) and pixels."""
    pandas = import_pandas()
    try:
        chunks = pandas.read_csv(
            rows,
            sep=layout.delimiter,
            header=None,
            usecols=sorted(layout.columns),
            dtype=object,
            na_filter=False,
            quoting=csv.QUOTE_NONE,  # CheckedRows has removed the quotes
            lineterminator="\n",
            encoding_errors="replace",
            chunksize=_CHUNK,
        )
    except pandas.errors.EmptyDataError:
        return
    with chunks:
        for chunk in chunks:
            yield chunk[list(layout.columns)]
