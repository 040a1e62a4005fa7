"""Data sets in memory: FER-2013 or the user's own faces.

Importing this module needs only NumPy and OpenCV; pandas is imported when a table is first read.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.data.cache import load_arrays, save_arrays
from fer_train.data.readers.archive import compute_unpacked_limit, convert_errors_to_data_error, open_tables
from fer_train.data.readers.fer2013_csv import read_fer2013_csv
from fer_train.data.readers.image_folder import find_labeled_images, read_images
from fer_train.data.readers.label_names import canonicalize_label
from fer_train.data.readers.split_names import ALL_TRAINING, HOLD_OUT_HINT
from fer_train.data.readers.table_choice import find_table_file

__all__ = ["BLANK_STD", "SPLITS", "TEST", "FaceDataset", "load_faces"]

TEST: Final = "test"
"""Name of the split with the faces held out of the user's own data."""
SPLITS: Final = ("Training", "PublicTest", "PrivateTest", TEST)
BLANK_STD: Final = 2.0
"""Standard deviation, in gray levels, below which an image is blank."""
_LOG: Final = logging.getLogger(__name__)
_READING: Final = 3  # increase when the same files are read differently


@dataclass(frozen=True, slots=True)
class FaceDataset:
    """Labeled faces.

    ``pixels`` is uint8 (n, 48, 48), gray. ``labels``, int64 (n,), are indices into ``label_names``. ``splits``, str
    (n,), are names in :data:`SPLITS`. ``source_rows``, int64 (n,), are the rows of ``fer2013.csv``, counted from 0, by
    which FER+ votes are matched; -1 for images from folders.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    source_rows: NDArray[np.int64]
    label_names: tuple[str, ...] = FER2013_LABELS

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, selection: NDArray[np.bool_] | NDArray[np.int64]) -> FaceDataset:
        """Return the faces selected by a mask, bool (n,), or by indices, int64 (m,)."""
        return FaceDataset(
            self.pixels[selection],
            self.labels[selection],
            self.splits[selection],
            self.source_rows[selection],
            self.label_names,
        )

    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of faces, labels and splits.

        It does not depend on the file format.
        """
        content = hashlib.sha256(json.dumps([self.label_names, self.pixels.shape]).encode())
        for array in (self.pixels, self.labels.astype("<i8"), self.splits.astype("S16")):
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()

    def compute_contrasts(self) -> NDArray[np.float64]:
        """Compute the standard deviation of each image, float64 (n,), in gray levels."""
        # In parts, because NumPy makes a float64 copy.
        parts = np.array_split(self.pixels, len(self) // 1024 + 1)
        return np.concatenate([np.std(part.reshape(len(part), -1), axis=1) for part in parts])

    def find_blank(self) -> NDArray[np.bool_]:
        """Return a mask, bool (n,), of the blank (nearly uniform) images."""
        return self.compute_contrasts() < BLANK_STD

    @property
    def present_splits(self) -> tuple[str, ...]:
        """The splits that have faces."""
        return tuple(name for name in SPLITS if (self.splits == name).any())

    def split(self, name: str) -> FaceDataset:
        """Return the faces of a split; raises DataError if it does not exist."""
        mask = self.splits == self._resolve_split(name)
        if not mask.any():
            raise DataError(
                f"the data has no split {name}, only {', '.join(self.present_splits) or 'empty ones'}; "
                f"choose another split, or add a folder {name} or rows with the Usage {name}"
            )
        return self.select(mask)

    def _resolve_split(self, name: str) -> str:
        """Return the split for a name.

        For images in folders, ``test`` is one of FER-2013's test splits.
        """
        if name != TEST or TEST in self.present_splits or (self.source_rows >= 0).any():
            return name
        return next((split for split in ("PrivateTest", "PublicTest") if split in self.present_splits), name)

    def relabel(self, label_names: tuple[str, ...]) -> FaceDataset:
        """Return the faces with a model's labels.

        The labels of the model may be more and in a different order. Raises DataError if the faces have a label that
        the model lacks.
        """
        places = {canonicalize_label(name): index for index, name in enumerate(label_names)}
        if len(places) < len(label_names):  # such as happy and joy, if the model distinguishes them
            places = {}
        places |= {name: index for index, name in enumerate(label_names)}
        table = np.array(
            [places.get(name, places.get(canonicalize_label(name), -1)) for name in self.label_names],
            np.int64,
        )
        unknown = [self.label_names[label] for label in np.unique(self.labels) if table[label] < 0]
        if unknown:
            raise DataError(
                f"the data has labels that the model lacks: {', '.join(unknown)}; remove these faces from the data, "
                f"or rename their labels to those of the model ({', '.join(label_names)})"
            )
        return FaceDataset(self.pixels, table[self.labels], self.splits, self.source_rows, label_names)


def load_faces(
    path: str | Path, *, skip_unreadable: bool = False, explain_splits: bool = True
) -> FaceDataset:
    """Read FER-2013, in any form it is distributed in, or the user's own faces.

    ``path`` is one of:

    - a file: ``fer2013.csv``, ``icml_face_data.csv`` or a similar table, plain or packed, see
      :mod:`fer_train.data.readers.fer2013_csv` and :mod:`fer_train.data.readers.archive`. Reading it needs pandas.
    - a folder that contains such a file
    - a folder of images, ``train/<label>/…``, ``val/…``, ``test/…``, see :mod:`fer_train.data.readers.image_folder`

    Assumptions about the data are logged as warnings. With ``skip_unreadable``, images and rows that cannot be read
    are skipped with a warning. Without ``explain_splits``, there is no warning for a folder without splits. The data
    set is cached under a hash of its content. Raises DataError that names the file, lines or images with an error,
    and MissingExtraError if a table is read without pandas.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"{path} does not exist; specify FER-2013 or a folder of faces, or get fer2013.tar.gz from Kaggle "
            '("Challenges in Representation Learning: Facial Expression Recognition Challenge")'
        )
    with convert_errors_to_data_error(path):
        if not path.is_dir():
            return _load_table(path, skip_unreadable)
        if (found := find_table_file(path)) is None:
            return _load_folder(path, skip_unreadable, explain_splits)
        table, assumptions = found
        _warn(path, assumptions)
        with convert_errors_to_data_error(table):
            return _load_table(table, skip_unreadable)


def _load_table(path: Path, skip_unreadable: bool) -> FaceDataset:
    key = _make_key({"content": sha256_of_file(path)})
    arrays = load_arrays(key)
    if arrays is None or set(arrays) != {"pixels", "labels", "splits", "rows", "notes"}:
        limit = compute_unpacked_limit(path)
        ((table, assumptions),) = [
            (
                read_fer2013_csv(opened.name, opened.stream, limit, skip_unreadable=skip_unreadable),
                opened.assumptions,
            )
            for opened in open_tables(path)
        ]
        notes = np.array([*assumptions, *table.notes], np.str_)
        arrays = {
            "pixels": table.pixels,
            "labels": table.labels,
            "splits": table.usages,
            "rows": table.rows,
            "notes": notes,
        }
        if table.is_complete:  # otherwise each run has to warn about skipped rows
            save_arrays(key, arrays)
    _warn(path, arrays["notes"].tolist())
    return FaceDataset(arrays["pixels"], arrays["labels"], np.array(SPLITS)[arrays["splits"]], arrays["rows"])


def _warn(path: Path, notes: Iterable[str]) -> None:
    for note in notes:
        hint = HOLD_OUT_HINT if note.endswith(ALL_TRAINING) else None
        _LOG.warning("%s: %s", path, note, extra={"hint": hint})


def _load_folder(root: Path, skip_unreadable: bool, explain_splits: bool) -> FaceDataset:
    images = find_labeled_images(root)
    if explain_splits and not images.names_splits:
        _warn(root, [f"the folder has labels but no splits (train, test): {ALL_TRAINING}"])
    key = _make_key({"contents": [_hash_image(path) for path in images.paths]})
    arrays = load_arrays(key)
    if arrays is None or set(arrays) != {"pixels"}:
        read = read_images(images.paths, skip_unreadable=skip_unreadable)
        arrays, indices = {"pixels": read.faces}, read.indices
        if len(indices) == len(images.paths):  # otherwise each run has to warn about skipped images
            save_arrays(key, arrays)
    else:
        indices = np.arange(len(images.paths))
    return FaceDataset(
        arrays["pixels"],
        np.array(images.labels, np.int64)[indices],
        np.array(images.splits)[indices],
        np.full(len(indices), -1, np.int64),
        images.label_names,
    )


def _hash_image(path: Path) -> str | None:
    """Return the hash of a file, or None if it is unreadable.

    The error is reported when the file is read.
    """
    try:
        return sha256_of_file(path) if path.is_file() else None
    except OSError:
        return None


def _make_key(source: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps({"reading": _READING, **source}).encode()).hexdigest()
