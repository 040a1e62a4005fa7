"""FER-2013 and the user's own faces, read into memory. NumPy and OpenCV only: it runs on a Raspberry Pi."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError
from fer_edge.spec import FER2013_LABELS

__all__ = ["FERPLUS_LABELS", "SPLITS", "Faces", "load_faces", "load_votes"]

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


@dataclass(frozen=True, slots=True)
class Faces:
    """Labelled faces.

    ``pixels``: uint8 (n, 48, 48), grey. ``labels``: int64 (n,), indices into ``label_names``.
    ``splits``: (n,) names of :data:`SPLITS`. ``rows``: int64 (n,), the picture's place in its source,
    which FER+ votes refer to.
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
        """SHA-256, in hexadecimal digits, of faces, labels and splits: the same from each form of the data."""
        content = hashlib.sha256(json.dumps([self.label_names, self.pixels.shape]).encode())
        for array in (self.pixels, self.labels.astype("<i8"), self.splits.astype("S16")):
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()

    def split(self, name: str) -> Faces:
        """The faces of one split; raises DataError where it is absent."""
        mask = self.splits == name
        if not mask.any():
            present = ", ".join(split for split in SPLITS if (self.splits == split).any())
            raise DataError(f"expected the split {name} in the data, found only {present or 'none'}")
        return self.take(mask)


def load_faces(path: str | Path) -> Faces:
    """Read a data set in any of the forms in which FER-2013 is handed around."""
    with tarfile.open(path) as archive:
        member = archive.extractfile("fer2013/fer2013.csv")
        assert member is not None
        text = io.TextIOWrapper(member, "utf-8", newline="")
        rows = list(csv.reader(text))
    pixels = np.stack([np.fromstring(row[1], np.uint8, sep=" ") for row in rows[1:]])
    return Faces(
        pixels.reshape(-1, 48, 48),
        np.array([int(row[0]) for row in rows[1:]], np.int64),
        np.array([row[2] for row in rows[1:]]),
        np.arange(len(rows) - 1),
    )


def load_votes(path: str | Path) -> NDArray[np.uint8]:
    """FER+'s votes, uint8 (rows, 10): eight emotions, unknown, no face; in the row order of fer2013.csv."""
    with Path(path).open(newline="") as file:
        rows = list(csv.reader(file))
    return np.array([[int(vote) for vote in row[2:12]] for row in rows[1:]], np.uint8)
