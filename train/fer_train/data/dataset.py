"""FER-2013 and the user's own faces, read into memory. NumPy and OpenCV only: it runs on a Raspberry Pi."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.cache import cached_arrays, keep_arrays
from fer_train.data.readers.archive import as_data_error, opened_tables, unpacked_limit
from fer_train.data.readers.fer2013_csv import read_table
from fer_train.data.readers.image_folder import canonical_label, find_labelled_pictures, read_faces

__all__ = ["FERPLUS_LABELS", "SPLITS", "Faces", "ferplus_faces", "load_faces", "load_votes", "votes_for"]

SPLITS: Final = ("Training", "PublicTest", "PrivateTest")
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
"""FER+'s eight emotions in the order of its columns; ``unknown`` and ``NF`` (no face) follow them."""

_VOTE_COLUMNS: Final = (*FERPLUS_LABELS, "unknown", "NF")
_BLANK_STD: Final = 2.0  # grey levels
_READING: Final = 1  # changes when the same files are read in another way


@dataclass(frozen=True, slots=True)
class Faces:
    """Labelled faces.

    ``pixels``: uint8 (n, 48, 48), grey. ``labels``: int64 (n,), indices into ``label_names``.
    ``splits``: (n,) names of :data:`SPLITS`. ``rows``: int64 (n,), the face's place in ``fer2013.csv``,
    which FER+ votes refer to; -1 for pictures from folders.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    rows: NDArray[np.int64]
    label_names: tuple[str, ...] = FER2013_LABELS

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, selection: NDArray[np.bool_] | NDArray[np.int64]) -> Faces:
        """The faces that a mask or an index array selects."""
        return Faces(
            self.pixels[selection],
            self.labels[selection],
            self.splits[selection],
            self.rows[selection],
            self.label_names,
        )

    def digest(self) -> str:
        """SHA-256, in hexadecimal digits, of faces, labels and splits: the same however a file is packed."""
        content = hashlib.sha256(json.dumps([self.label_names, self.pixels.shape]).encode())
        for array in (self.pixels, self.labels.astype("<i8"), self.splits.astype("S16")):
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()

    def contrasts(self) -> NDArray[np.float64]:
        """The standard deviation of each picture, float64 (n,), in grey levels."""
        # In parts, because NumPy makes a float64 copy of what it is given.
        parts = np.array_split(self.pixels, len(self) // 1024 + 1)
        return np.concatenate([np.std(part.reshape(len(part), -1), axis=1) for part in parts])

    def is_blank(self) -> NDArray[np.bool_]:
        """Which pictures, bool (n,), are so flat that they show nothing."""
        return self.contrasts() < _BLANK_STD

    @property
    def present_splits(self) -> tuple[str, ...]:
        """The splits that have faces."""
        return tuple(name for name in SPLITS if (self.splits == name).any())

    def split(self, name: str) -> Faces:
        """The faces of one split; raises DataError where it is absent."""
        mask = self.splits == name
        if not mask.any():
            raise DataError(
                f"expected the split {name} in the data, found {', '.join(self.present_splits) or 'none'}"
            )
        return self.take(mask)

    def relabelled(self, label_names: tuple[str, ...]) -> Faces:
        """The same faces under a model's labels, which may be more and in another order.

        Raises DataError when there is a label that the model does not have.
        """
        places = {canonical_label(name): index for index, name in enumerate(label_names)}
        used = np.unique(self.labels)
        unknown = [self.label_names[i] for i in used if canonical_label(self.label_names[i]) not in places]
        if unknown:
            raise DataError(
                f"expected faces of the model's labels ({', '.join(label_names)}), "
                f"got {', '.join(unknown)}, too"
            )
        table = np.array([places.get(canonical_label(name), -1) for name in self.label_names], np.int64)
        return Faces(self.pixels, table[self.labels], self.splits, self.rows, label_names)


def load_faces(path: str | Path) -> Faces:
    """Read a data set in any of the forms in which FER-2013 is handed around, or one's own.

    A file: ``fer2013.csv`` or ``icml_face_data.csv``, as it is or in a .gz, .zip, .tar or .tar.gz. A folder:
    ``train/<label>/…``, ``val/…``, ``test/…``: :mod:`fer_train.data.readers.image_folder`. Later it comes from a
    cache, whose key is a hash of the content. Raises DataError naming the file, line or picture at fault.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"{path}: expected FER-2013 or a folder of faces, nothing is there; get fer2013.tar.gz from Kaggle "
            '("Challenges in Representation Learning: Facial Expression Recognition Challenge")'
        )
    with as_data_error(path):
        return _from_folder(path) if path.is_dir() else _from_table(path)


def votes_for(faces: Faces, path: str | Path) -> NDArray[np.uint8]:
    """FER+'s votes of these faces, uint8 (n, 10), as :func:`load_votes` has them.

    Raises DataError when the votes belong to other data.
    """
    votes = load_votes(path)
    if (faces.rows < 0).any() or faces.rows.max() >= len(votes):
        raise DataError(
            f"{path}: expected votes for the rows of the data set, got {len(votes)} rows of votes; "
            "FER+ goes with fer2013.csv in its original order, not with picture folders"
        )
    return votes[faces.rows]


def load_votes(path: str | Path) -> NDArray[np.uint8]:
    """FER+'s votes, uint8 (rows, 10): eight emotions, unknown, no face; in the row order of fer2013.csv.

    Raises DataError naming the line at fault.
    """
    path = Path(path)
    votes = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            missing = [name for name in _VOTE_COLUMNS if name not in header]
            if missing:
                raise DataError(
                    f"{path}: expected FER+ votes (fer2013new.csv), the columns {', '.join(missing)} are missing"
                )
            places = [header.index(name) for name in _VOTE_COLUMNS]
            for row in rows:
                counts = [int(row[place]) for place in places]
                if not 0 <= min(counts) <= max(counts) <= 255:
                    raise ValueError
                votes.append(counts)
    except (ValueError, IndexError, csv.Error) as error:
        raise DataError(
            f"{path}, line {len(votes) + 2}: expected a row of {len(_VOTE_COLUMNS)} numbers of votes"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: the votes cannot be read: {error.strerror or error}") from error
    return np.array(votes, np.uint8).reshape(-1, len(_VOTE_COLUMNS))


def ferplus_faces(faces: Faces, votes: NDArray[np.uint8]) -> Faces:
    """The faces under FER+'s eight emotions, each by the most of its votes, uint8 (n, 10) (the first of equals).

    Faces that most took for none, or for no emotion they know, are left out. E. Barsoum et al., "Training
    Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution", 2016.
    """
    chosen = votes.argmax(axis=1)
    is_emotion = (chosen < len(FERPLUS_LABELS)) & (votes.max(axis=1) > 0)
    part = faces.take(is_emotion)
    return Faces(part.pixels, chosen[is_emotion], part.splits, part.rows, FERPLUS_LABELS)


def _from_table(path: Path) -> Faces:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    key = _key({"content": content.hexdigest()})
    arrays = cached_arrays(key)
    if arrays is None or set(arrays) != {"pixels", "labels", "splits"}:
        (table,) = [read_table(name, stream, unpacked_limit(path)) for name, stream in opened_tables(path)]
        arrays = dict(zip(("pixels", "labels", "splits"), table, strict=True))
        keep_arrays(key, arrays)
    labels = arrays["labels"]
    return Faces(arrays["pixels"], labels, np.array(SPLITS)[arrays["splits"]], np.arange(len(labels)))


def _from_folder(root: Path) -> Faces:
    pictures = find_labelled_pictures(root)
    contents = []
    for picture in pictures.paths:
        with picture.open("rb") as file:
            contents.append(hashlib.file_digest(file, "sha256").hexdigest())
    key = _key({"contents": contents})
    arrays = cached_arrays(key)
    if arrays is None or set(arrays) != {"pixels"}:
        arrays = {"pixels": read_faces(pictures.paths)}
        keep_arrays(key, arrays)
    return Faces(
        arrays["pixels"],
        np.array(pictures.labels, np.int64),
        np.array(pictures.splits),
        np.full(len(pictures.paths), -1, np.int64),
        pictures.label_names,
    )


def _key(source: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps({"reading": _READING, **source}).encode()).hexdigest()
