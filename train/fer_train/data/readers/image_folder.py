"""Faces as image files: ``train/<label>/…``, ``test/<label>/…``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import extract_face
from fer_edge.detectors.full_frame import EXACT
from fer_edge.errors import ContractError, DataError, SourceError
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_edge.sources.image_io import read_image
from fer_edge.sources.images import IMAGE_SUFFIXES
from fer_edge.types import Detection, Frame
from fer_train.data.readers.fer2013_csv import SIDE

__all__ = ["ImageList", "canonicalize_label", "find_labelled_images", "read_images"]

# How the splits are called by those who hand FER-2013 around, and by others.
_SPLIT_NAMES: Final = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "test",
    "testing": "test",
    "privatetest": "PrivateTest",
}
_SYNONYMS: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "neutrality": "neutral",
}
_SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of a data set: their paths, indices into ``label_names``, and splits; aligned."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    label_names: tuple[str, ...]


def canonicalize_label(name: str) -> str:
    """Return FER-2013's name for an emotion that goes by another, such as ``Fearful``; other names as they are."""
    plain = name.strip().lower()
    plain = _SYNONYMS.get(plain, plain)
    return plain if plain in FER2013_LABELS else name


def find_labelled_images(root: Path) -> ImageList:
    """Find the images below ``root``, in the order of their paths.

    ``train`` is Training, ``val`` PublicTest. Copies of FER-2013 merge its two test splits into ``test``:
    that is PublicTest where there is no ``val``, so that PrivateTest stays held back, and PrivateTest where
    there is one. Labels are the names of the folders: FER-2013's, in its order, where they are its seven
    (in any case, or a synonym), otherwise 2 to 100 in alphabetical order.

    Raises DataError naming the folder or file that is amiss.
    """
    splits = _split_folders(root)
    folders = [(split, label) for split, folder in splits.items() for label in _subfolders(folder)]
    names = _label_names(root, [label for _, label in folders])
    training = {label.name for split, label in folders if split == "Training"}
    for split_folder in splits.values():
        _refuse_loose_list_images(split_folder)
    found: list[tuple[Path, int, str]] = []
    for split, folder in folders:
        if training and folder.name not in training:
            raise DataError(
                f"{folder}: expected a label that Training has, too ({', '.join(sorted(training))}), "
                f"got {folder.name!r}; rename or remove the folder"
            )
        label = names.index(canonicalize_label(folder.name) if names == FER2013_LABELS else folder.name)
        found += [(path, label, split) for path in _list_images(folder)]
    if not found:
        raise DataError(f"{root}: expected pictures in train/<label>/ and test/<label>/, found none")
    paths, labels, split_names = zip(*found, strict=True)
    return ImageList(paths, labels, split_names, names)


def read_images(paths: tuple[Path, ...]) -> NDArray[np.uint8]:
    """Read images as uint8 (n, 48, 48) gray faces, each taken whole, as the runtime sees a face's crop.

    Raises DataError naming the first image that cannot be read.
    """
    faces = np.empty((len(paths), SIDE, SIDE), np.uint8)
    # OpenCV lets go of the interpreter while it decodes.
    with ThreadPoolExecutor() as pool:
        for index, face in enumerate(pool.map(_read_face, paths)):
            faces[index] = face
    return faces


_VIEW: Final = ModelSpec(name="faces", labels=FER2013_LABELS, width=SIDE, height=SIDE)


def _read_face(path: Path) -> NDArray[np.uint8]:
    try:
        image = read_image(path)
    except SourceError as error:
        raise DataError(str(error)) from error
    frame = Frame(image)
    return extract_face(frame, Detection(frame.box, framing=EXACT), _VIEW)[..., 0]


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split, in the order of :data:`_SPLIT_NAMES`; looks into a folder that is alone."""
    folders = _subfolders(root)
    if len(folders) == 1 and folders[0].name.lower() not in _SPLIT_NAMES:
        return _split_folders(folders[0])
    splits: dict[str, Path] = {}
    for folder in folders:
        split = _SPLIT_NAMES.get(folder.name.lower())
        if split is None:
            raise DataError(
                f"{folder}: expected folders train, val and test with a folder for each label, got "
                f"{folder.name!r}; put your labels' folders into {root / 'train'}"
            )
        if split in splits:
            raise DataError(
                f"{folder}: expected one folder for a split, {splits[split]} is the same; merge them"
            )
        splits[split] = folder
    if not splits:
        raise DataError(
            f"{root}: expected pictures in train/<label>/ and test/<label>/, found no such folders"
        )
    if "test" in splits:
        test = splits.pop("test")
        meant = "PrivateTest" if "PublicTest" in splits else "PublicTest"
        if meant in splits:
            raise DataError(
                f"{test}: expected one folder for {meant}, {splits[meant]} is the same; merge them"
            )
        splits[meant] = test
    return {name: splits[name] for name in ("Training", "PublicTest", "PrivateTest") if name in splits}


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _label_names(root: Path, folders: list[Path]) -> tuple[str, ...]:
    names = {folder.name for folder in folders}
    if {canonicalize_label(name) for name in names} == set(FER2013_LABELS):
        return FER2013_LABELS
    labels = tuple(sorted(names))
    try:
        ModelSpec(name="labels", labels=labels)
    except ContractError as error:
        # A model's contract has the same demands, and is where they are put into words.
        raise DataError(
            f"{root}: the folders' names cannot be a model's labels: "
            f"{str(error).removeprefix('the model' + chr(39) + 's spec is invalid: ')}"
        ) from error
    return labels


def _refuse_loose_list_images(split_folder: Path) -> None:
    for path in sorted(split_folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not path.name.startswith("."):
            raise DataError(
                f"{path}: expected a picture in the folder of its label, such as "
                f"{split_folder / 'happy' / path.name}; move or remove it"
            )


def _list_images(folder: Path) -> list[Path]:
    pictures = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.lower() in _SYSTEM_FILES:
            continue
        if path.is_dir() or path.suffix.lower() not in IMAGE_SUFFIXES:
            raise DataError(
                f"{path}: expected a picture ({', '.join(sorted(IMAGE_SUFFIXES))}), "
                f"got {'a folder' if path.is_dir() else 'another file'}; remove it"
            )
        pictures.append(path)
    return pictures
