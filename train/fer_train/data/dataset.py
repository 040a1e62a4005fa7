"""FER-2013 and the user's own faces, read into memory.

Importing it takes NumPy and OpenCV only; pandas is imported when a table is read for the first time.
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
from fer_train.data.readers.archive import compute_unpacked_limit, open_tables, raise_data_error
from fer_train.data.readers.fer2013_csv import read_fer2013_csv
from fer_train.data.readers.image_folder import find_labelled_images, read_images
from fer_train.data.readers.label_names import canonicalize_label
from fer_train.data.readers.split_names import ALL_TRAINING
from fer_train.data.readers.table_choice import find_table_file

__all__ = ["BLANK_STD", "SPLITS", "TEST", "FaceDataset", "load_faces"]

TEST: Final = "test"
"""The faces that are held out of one's own."""
SPLITS: Final = ("Training", "PublicTest", "PrivateTest", TEST)
BLANK_STD: Final = 2.0
"""The standard deviation, in gray levels, below which an image shows nothing."""
_LOG: Final = logging.getLogger(__name__)
_READING: Final = 3  # changes when the same files are read in another way


@dataclass(frozen=True, slots=True)
class FaceDataset:
    """Labelled faces.

    ``pixels``: uint8 (n, 48, 48), gray. ``labels``: int64 (n,), indices into ``label_names``.
    ``splits``: str (n,), names of :data:`SPLITS`. ``source_rows``: int64 (n,), the rows of ``fer2013.csv``,
    counted from 0, to which FER+ votes refer; -1 for images from folders.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    source_rows: NDArray[np.int64]
    label_names: tuple[str, ...] = FER2013_LABELS

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, selection: NDArray[np.bool_] | NDArray[np.int64]) -> FaceDataset:
        """Return the faces that a mask, bool (n,), or an index array, int64 (m,), selects."""
        return FaceDataset(
            self.pixels[selection],
            self.labels[selection],
            self.splits[selection],
            self.source_rows[selection],
            self.label_names,
        )

    def digest(self) -> str:
        """SHA-256, in hexadecimal digits, of faces, labels and splits: the same however a file is packed."""
        content = hashlib.sha256(json.dumps([self.label_names, self.pixels.shape]).encode())
        for array in (self.pixels, self.labels.astype("<i8"), self.splits.astype("S16")):
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()

    def compute_contrasts(self) -> NDArray[np.float64]:
        """Compute the standard deviation of each image, float64 (n,), in gray levels."""
        # In parts, because NumPy makes a float64 copy of what it is given.
        parts = np.array_split(self.pixels, len(self) // 1024 + 1)
        return np.concatenate([np.std(part.reshape(len(part), -1), axis=1) for part in parts])

    def is_blank(self) -> NDArray[np.bool_]:
        """Tell which images, bool (n,), are so flat that they show nothing."""
        return self.compute_contrasts() < BLANK_STD

    @property
    def present_splits(self) -> tuple[str, ...]:
        """The splits that have faces."""
        return tuple(name for name in SPLITS if (self.splits == name).any())

    def split(self, name: str) -> FaceDataset:
        """Return the faces of one split; raises DataError where it is absent."""
        mask = self.splits == self._resolve_split(name)
        if not mask.any():
            raise DataError(
                f"expected the split {name} in the data, found {', '.join(self.present_splits) or 'none'}; "
                f"ask for another split, or add one: a folder, or rows with the Usage {name}"
            )
        return self.select(mask)

    def _resolve_split(self, name: str) -> str:
        """The split that a name stands for: images in folders have ``test`` as one of FER-2013's two."""
        if name != TEST or TEST in self.present_splits or (self.source_rows >= 0).any():
            return name
        return next((split for split in ("PrivateTest", "PublicTest") if split in self.present_splits), name)

    def relabel(self, label_names: tuple[str, ...]) -> FaceDataset:
        """Return the same faces under a model's labels, which may be more and in another order.

        Raises DataError when there is a label that the model does not have.
        """
        places = {canonicalize_label(name): index for index, name in enumerate(label_names)}
        if len(places) < len(label_names):  # such as happy and joy, which are two labels here
            places = {}
        places |= {name: index for index, name in enumerate(label_names)}
        table = np.array(
            [places.get(name, places.get(canonicalize_label(name), -1)) for name in self.label_names],
            np.int64,
        )
        unknown = [self.label_names[label] for label in np.unique(self.labels) if table[label] < 0]
        if unknown:
            raise DataError(
                f"expected faces of the model's labels ({', '.join(label_names)}), "
                f"got {', '.join(unknown)}, too; leave those faces out of the data"
            )
        return FaceDataset(self.pixels, table[self.labels], self.splits, self.source_rows, label_names)


def load_faces(
    path: str | Path, *, skip_unreadable: bool = False, explain_splits: bool = True
) -> FaceDataset:
    """Read a data set in any of the forms in which FER-2013 is handed around, or one's own.

    A file, which takes pandas: ``fer2013.csv``, ``icml_face_data.csv`` or a table like them, as it is or packed:
    :mod:`fer_train.data.readers.fer2013_csv`, :mod:`fer_train.data.readers.archive`. A folder with one, or a folder
    of images: ``train/<label>/…``, ``val/…``, ``test/…``: :mod:`fer_train.data.readers.image_folder`. What was assumed
    is said by warnings. With ``skip_unreadable`` images and rows that cannot be read are left out, which a warning
    says; without ``explain_splits`` none says that a folder names no splits. Later it comes from a cache, whose key
    is a hash of the content. Raises DataError naming the file, lines or images at fault, and MissingExtraError where
    a table is to be read without pandas.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"{path}: expected FER-2013 or a folder of faces, nothing is there; get fer2013.tar.gz from Kaggle "
            '("Challenges in Representation Learning: Facial Expression Recognition Challenge")'
        )
    with raise_data_error(path):
        if not path.is_dir():
            return _load_table(path, skip_unreadable)
        if (found := find_table_file(path)) is None:
            return _load_folder(path, skip_unreadable, explain_splits)
        table, assumptions = found
        _warn(path, assumptions)
        with raise_data_error(table):
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
        if table.is_complete:  # others have to be said each time
            save_arrays(key, arrays)
    _warn(path, arrays["notes"].tolist())
    return FaceDataset(arrays["pixels"], arrays["labels"], np.array(SPLITS)[arrays["splits"]], arrays["rows"])


def _warn(path: Path, notes: Iterable[str]) -> None:
    for note in notes:
        _LOG.warning("%s: %s", path, note)


def _load_folder(root: Path, skip_unreadable: bool, explain_splits: bool) -> FaceDataset:
    images = find_labelled_images(root)
    if explain_splits and not images.names_splits:
        _warn(root, [f"the folder has labels and no splits (train, test): {ALL_TRAINING}"])
    key = _make_key({"contents": [_hash_image(path) for path in images.paths]})
    arrays = load_arrays(key)
    if arrays is None or set(arrays) != {"pixels"}:
        read = read_images(images.paths, skip_unreadable=skip_unreadable)
        arrays, indices = {"pixels": read.faces}, read.indices
        if len(indices) == len(images.paths):  # others have to be said each time
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
    """The hash of a file, None where it cannot be read, which reading it will say."""
    try:
        return sha256_of_file(path) if path.is_file() else None
    except OSError:
        return None


def _make_key(source: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps({"reading": _READING, **source}).encode()).hexdigest()
