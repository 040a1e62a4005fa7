"""Read results as a pandas or polars data frame or an Arrow table."""

from __future__ import annotations

import json
import logging
import os
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import MissingExtraError, SourceError, UsageError
from fer_edge.reports.files import open_results, read_file
from fer_edge.reports.readers.base import ErrorRow, FaceRow, FrameRow

__all__ = ["Library", "read_results"]

_logger = logging.getLogger(__name__)

Library = Literal["pandas", "polars", "arrow"]

_NONE: Final = -(2**63)
"""The placeholder for a missing value in integer columns; pandas uses the same for a missing time."""

_WHOLE: Final = ("face_id", "x", "y", "width", "height")
_MAX_ERRORS: Final = 1000


def read_results(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    library: Library = "pandas",
    *,
    empty_frames: bool = True,
) -> Any:
    """Read results files into a table with one row per face and frame.

    ``paths`` is one or more files that ``--results`` wrote (.jsonl, .csv, .parquet), folders or patterns. The columns
    are those of the CSV:

    - ``source`` and ``emotion`` are categorical.
    - ``frame``, ``face_id``, ``x``, ``y``, ``width`` and ``height`` are integers.
    - ``time_s``, ``confidence`` and the scores are floats.
    - ``clock`` is a time in UTC.

    ``time_s``, ``clock`` and ``confidence`` are missing if the run did not record them. A frame without a face has
    one row in which the columns of the face are missing, or no row with ``empty_frames=False``. If files have
    different labels, the scores of other files' labels are missing.

    ``library`` is "pandas" (requires the extra ``pandas``), "polars" (``polars``) or "arrow" (``archive``). Parts that
    could not be read are logged as warnings. They are also stored in ``attrs`` of a pandas data frame and in the
    schema metadata of an Arrow table: ``problems`` are lines about the files, and ``errors`` are the inputs that the
    runs could not read, each with ``source`` and ``error``.

    Raises SourceError if there is nothing to read, MissingExtraError if the library is not installed.

    >>> from fer_edge import read_results
    >>> table = read_results("rows.jsonl")
    >>> len(table), list(table.emotion.unique())
    (3, ['neutral'])
    >>> (table.groupby("emotion", observed=True).score.mean() > 0.5).tolist()
    [True]
    """
    if library not in _BUILDERS:
        raise UsageError(f"unknown library {library!r}; use one of {', '.join(_BUILDERS)}")
    _import_library(library)
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    problems: list[str] = []
    columns = _Columns(empty_frames=empty_frames)
    for file in open_results(given, problems):
        for row in read_file(file, problems):
            columns.add(row)
    if not columns.rows:
        raise SourceError("; ".join(problems[:3]) or "no rows to read; use results files of fer-edge")
    for text in [*problems, *(f"{error['source']}: {error['error']}" for error in columns.errors)]:
        _logger.warning("%s", text)
    return _BUILDERS[library](columns, {"problems": problems, "errors": columns.errors})


def _import_library(library: Library) -> None:
    try:
        if library == "pandas":
            import pandas  # noqa: F401
        elif library == "polars":
            import polars  # noqa: F401
        else:
            import pyarrow  # noqa: F401
    except ImportError as error:
        name, extra = {"arrow": ("pyarrow", "archive")}.get(library, (library, library))
        raise MissingExtraError(name, extra) from error


class _Codes:
    """A categorical column: strings encoded as integers, in order of appearance."""

    def __init__(self) -> None:
        self.codes = array("i")
        self._numbers: dict[str, int] = {}

    def add(self, text: str | None) -> None:
        """Append a string; None is encoded as -1."""
        self.codes.append(-1 if text is None else self._numbers.setdefault(text, len(self._numbers)))

    def add_category(self, text: str) -> None:
        """Add a category that no row may have."""
        self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        """The categories as valid UTF-8, with invalid bytes escaped."""
        return [text.encode("utf-8", "backslashreplace").decode() for text in self._numbers]


class _Columns:
    """The rows read so far, as compact columns."""

    def __init__(self, *, empty_frames: bool) -> None:
        self.rows = 0
        self.errors: list[dict[str, str]] = []
        self.source, self.emotion = _Codes(), _Codes()
        self.whole = {name: array("q") for name in ("frame", *_WHOLE)}
        self.floats = {name: array("d") for name in ("time_s", "confidence", "score")}
        self.clock_us = array("q")
        self.scores: dict[str, array[float]] = {}
        self._empty_frames = empty_frames

    def add(self, row: FrameRow | ErrorRow) -> None:
        """Append the rows of a frame."""
        if isinstance(row, ErrorRow):
            if len(self.errors) < _MAX_ERRORS:
                self.errors.append({"source": row.source, "error": row.error})
            return
        for label in row.labels:
            if label not in self.scores:
                self.scores[label] = array("d", [float("nan")]) * self.rows
                self.emotion.add_category(label)
        faces: Sequence[FaceRow | None] = row.faces or ((None,) if self._empty_frames else ())
        for face in faces:
            self._add_frame(row)
            self._add_face(face, row.labels)
            self.rows += 1

    def _add_frame(self, row: FrameRow) -> None:
        self.source.add(row.source)
        self.whole["frame"].append(row.frame)
        self.floats["time_s"].append(float("nan") if row.time_s is None else row.time_s)
        self.clock_us.append(_NONE if row.clock is None else round(row.clock.timestamp() * 1e6))

    def _add_face(self, face: FaceRow | None, labels: tuple[str, ...]) -> None:
        numbers = (_NONE,) * len(_WHOLE) if face is None else (face.id, *face.box)
        for name, number in zip(_WHOLE, numbers, strict=True):
            self.whole[name].append(number)
        confidence = None if face is None else face.confidence
        self.floats["confidence"].append(float("nan") if confidence is None else confidence)
        self.floats["score"].append(float("nan") if face is None else face.score)
        self.emotion.add(None if face is None else face.emotion)
        scores = {} if face is None else dict(zip(labels, face.scores, strict=True))
        for label, column in self.scores.items():
            column.append(scores.get(label, float("nan")))

    def list_floats(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield the float columns after ``emotion``, with NaN for missing values."""
        yield "score", np.frombuffer(self.floats["score"], np.float64)
        for label, column in self.scores.items():
            yield label, np.frombuffer(column, np.float64)


def _build_pandas(columns: _Columns, notes: dict[str, Any]) -> Any:
    import pandas as pd

    def categories(codes: _Codes) -> Any:
        return pd.Categorical.from_codes(np.frombuffer(codes.codes, np.int32), categories=codes.texts)

    clock = np.frombuffer(columns.clock_us, np.int64).view("datetime64[us]")
    table: dict[str, Any] = {
        "source": categories(columns.source),
        "frame": np.frombuffer(columns.whole["frame"], np.int64),
        "time_s": np.frombuffer(columns.floats["time_s"], np.float64),
        "clock": pd.DatetimeIndex(clock).tz_localize("UTC"),
    }
    for name in _WHOLE:
        numbers = np.frombuffer(columns.whole[name], np.int64)
        missing = numbers == _NONE
        table[name] = pd.arrays.IntegerArray(np.where(missing, 0, numbers), missing)
    table["confidence"] = np.frombuffer(columns.floats["confidence"], np.float64)
    table["emotion"] = categories(columns.emotion)
    frame = pd.DataFrame(table | dict(columns.list_floats()), copy=True)
    frame.attrs.update(notes)
    return frame


def _build_arrow(columns: _Columns, notes: dict[str, Any]) -> Any:
    import pyarrow as pa

    def categories(codes: _Codes) -> Any:
        numbers = np.frombuffer(codes.codes, np.int32)
        return pa.DictionaryArray.from_arrays(
            pa.array(numbers, mask=numbers < 0), pa.array(codes.texts, pa.string())
        )

    def floats(numbers: NDArray[np.float64]) -> Any:
        return pa.array(numbers, mask=np.isnan(numbers))

    def whole(numbers: NDArray[np.int64], kind: Any = None) -> Any:
        return pa.array(numbers, kind or pa.int64(), mask=numbers == _NONE)

    clock = np.frombuffer(columns.clock_us, np.int64)
    table: dict[str, Any] = {
        "source": categories(columns.source),
        "frame": pa.array(np.frombuffer(columns.whole["frame"], np.int64)),
        "time_s": floats(np.frombuffer(columns.floats["time_s"], np.float64)),
        "clock": whole(clock).cast(pa.timestamp("us", "UTC")),
    }
    for name in _WHOLE:
        table[name] = whole(np.frombuffer(columns.whole[name], np.int64))
    table["confidence"] = floats(np.frombuffer(columns.floats["confidence"], np.float64))
    table["emotion"] = categories(columns.emotion)
    table |= {name: floats(numbers) for name, numbers in columns.list_floats()}
    return pa.table(table).replace_schema_metadata({name: json.dumps(value) for name, value in notes.items()})


def _build_polars(columns: _Columns, notes: dict[str, Any]) -> Any:
    import polars as pl

    def categories(name: str, codes: _Codes) -> Any:
        numbers = pl.Series(np.frombuffer(codes.codes, np.int32))
        return pl.Series(name, codes.texts, pl.Enum(codes.texts)).gather(numbers.set(numbers < 0, None))

    def floats(name: str, numbers: NDArray[np.float64]) -> Any:
        return pl.Series(name, numbers, nan_to_null=True)

    def whole(name: str, numbers: NDArray[np.int64]) -> Any:
        series = pl.Series(name, numbers)
        return series.set(series == _NONE, None)

    clock = whole("clock", np.frombuffer(columns.clock_us, np.int64))
    table = [
        categories("source", columns.source),
        pl.Series("frame", np.frombuffer(columns.whole["frame"], np.int64)),
        floats("time_s", np.frombuffer(columns.floats["time_s"], np.float64)),
        clock.cast(pl.Datetime("us", "UTC")),
        *(whole(name, np.frombuffer(columns.whole[name], np.int64)) for name in _WHOLE),
        floats("confidence", np.frombuffer(columns.floats["confidence"], np.float64)),
        categories("emotion", columns.emotion),
        *(floats(name, numbers) for name, numbers in columns.list_floats()),
    ]
    return pl.DataFrame(table)


_BUILDERS: Final[dict[str, Any]] = {"pandas": _build_pandas, "polars": _build_polars, "arrow": _build_arrow}
