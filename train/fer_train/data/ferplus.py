"""FER+: the votes of ten annotators on each face of FER-2013.

E. Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016.
"""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError, reason_of
from fer_train.data.dataset import FaceDataset
from fer_train.optional_packages import import_pandas

__all__ = ["FERPLUS_LABELS", "lookup_votes", "match_votes", "read_votes", "relabel_by_votes"]

FERPLUS_LABELS: Final = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
"""The eight FER+ emotions in the order of its columns, before ``unknown`` and ``NF`` (no face)."""

_COLUMNS: Final = (*FERPLUS_LABELS, "unknown", "NF")
_COUNTS: Final = {str(value): value for value in range(256)}


def read_votes(path: str | Path) -> NDArray[np.uint8]:
    """Read the FER+ votes, uint8 (rows, 10): eight emotions, unknown, no face.

    The rows are in the order of fer2013.csv. Raises DataError that names the line with an error, MissingExtraError if
    pandas is not installed.
    """
    path = Path(path)
    table = _read_table(path)
    table.columns = [str(name).strip() for name in table.columns]
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise DataError(
            f"{path}: not a file of FER+ votes, as the columns {', '.join(missing)} are missing; use fer2013new.csv"
        )
    votes = np.zeros((len(table), len(_COLUMNS)), np.uint8)
    for index, row in enumerate(table[list(_COLUMNS)].itertuples(index=False, name=None)):
        try:
            votes[index] = [_COUNTS[count.strip()] for count in row]
        except KeyError as error:
            raise _describe_bad_line(path, index + 2) from error
    return votes


def match_votes(faces: FaceDataset, votes: NDArray[np.uint8], source: str | Path) -> NDArray[np.uint8]:
    """Select the votes on the given faces, uint8 (n, 10).

    ``votes`` is the output of :func:`read_votes`. ``source`` names the votes in messages. Raises DataError if the votes
    belong to other data.
    """
    if (faces.source_rows < 0).any() or faces.source_rows.max() >= len(votes):
        raise DataError(
            f"{source}: the {len(votes)} rows of votes do not match the rows of the data set; "
            "use FER+ votes with fer2013.csv in its original order, not with image folders"
        )
    return votes[faces.source_rows]


def lookup_votes(faces: FaceDataset, path: str | Path) -> NDArray[np.uint8]:
    """Read the votes on the given faces, uint8 (n, 10), from a file.

    Raises the errors of :func:`read_votes` and :func:`match_votes`.
    """
    return match_votes(faces, read_votes(path), path)


def relabel_by_votes(faces: FaceDataset, votes: NDArray[np.uint8]) -> FaceDataset:
    """Label the faces with the eight FER+ emotions, by the most votes.

    If votes are tied, the first emotion is chosen. ``votes`` is uint8 (n, 10). Faces with most votes for "no face" or
    "unknown" are left out.
    """
    chosen = votes.argmax(axis=1)
    is_emotion = (chosen < len(FERPLUS_LABELS)) & (votes.max(axis=1) > 0)
    kept = faces.select(is_emotion)
    return FaceDataset(kept.pixels, chosen[is_emotion], kept.splits, kept.source_rows, FERPLUS_LABELS)


def _read_table(path: Path) -> Any:
    """Read all columns as text.

    Raises DataError for a row that is too long or an unclosed quote.
    """
    pandas = import_pandas()
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            return pandas.read_csv(
                file,
                encoding="utf-8-sig",
                dtype=object,
                na_filter=False,
                index_col=False,
                quoting=csv.QUOTE_MINIMAL,
                skip_blank_lines=False,  # so that row numbers are line numbers
            )
    except pandas.errors.EmptyDataError:
        return pandas.DataFrame()
    except (pandas.errors.ParserError, pandas.errors.ParserWarning, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: expected {len(_COLUMNS)} vote counts in each line: {reason_of(error)}"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot read the votes: {error.strerror or error}") from error


def _describe_bad_line(path: Path, number: int) -> DataError:
    return DataError(f"{path}, line {number}: expected {len(_COLUMNS)} vote counts")
