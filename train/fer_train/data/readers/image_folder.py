"""Faces as image files: ``train/<label>/…``, ``test/<label>/…``."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
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
from fer_edge.sources.image_io import ImageFile, load_image
from fer_edge.sources.images import HEIC_SUFFIXES, IMAGE_SUFFIXES, is_system_file
from fer_edge.types import Detection, Frame
from fer_train.data.readers.fer2013_csv import SIDE

_LOG: Final = logging.getLogger(__name__)

__all__ = ["ImageList", "ReadImages", "canonicalize_label", "find_labelled_images", "read_images"]

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
_MOST_NAMED: Final = 20  # unreadable images; the rest are counted


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
    (in any case, or a synonym), otherwise 2 to 100 in alphabetical order, spelled as in the first split. Folders
    match in any case across splits. An empty one is no label, and a label that a split lacks is said, by
    warnings. Hidden and system files and folders, such as ``__MACOSX``, are ignored.

    Raises DataError naming the folder or file that is amiss.
    """
    splits = _split_folders(root)
    for split_folder in splits.values():
        _refuse_loose_list_images(split_folder)
    folders = [
        (split, label, images)
        for split, folder in splits.items()
        for label in _subfolders(folder)
        if (images := _list_images_or_warn(label))
    ]
    if not folders:
        raise DataError(f"{root}: expected pictures in train/<label>/ and test/<label>/, found none")
    spelling = _spell_labels(folder.name for _, folder, _ in folders)
    names = _label_names(root, list(spelling.values()))
    training = {folder.name.casefold() for split, folder, _ in folders if split == "Training"}
    found: list[tuple[Path, int, str]] = []
    for split, folder, images in folders:
        if training and folder.name.casefold() not in training:
            raise DataError(
                f"{folder}: expected a label that Training has, too "
                f"({', '.join(sorted(spelling[label] for label in training))}), "
                f"got {folder.name!r}; rename or remove the folder"
            )
        name = spelling[folder.name.casefold()]
        label = names.index(canonicalize_label(name) if names == FER2013_LABELS else name)
        found += [(path, label, split) for path in images]
    _warn_of_missing_labels(splits, {(split, names[label]) for _, label, split in found}, names)
    paths, labels, split_names = zip(*found, strict=True)
    return ImageList(paths, labels, split_names, names)


@dataclass(frozen=True, slots=True)
class ReadImages:
    """``faces``, uint8 (n, 48, 48), of the images that were read, and ``indices``, int64 (n,), into their paths."""

    faces: NDArray[np.uint8]
    indices: NDArray[np.int64]


def read_images(paths: tuple[Path, ...], *, skip_unreadable: bool = False) -> ReadImages:
    """Read images as gray faces, each taken whole, as the runtime sees a face's crop.

    What has to be known of their reading, such as values of 12 bits, is a warning for each kind. Raises DataError
    naming up to 20 images that cannot be read; with ``skip_unreadable`` that is a warning, unless there is no other.
    """
    faces = np.empty((len(paths), SIDE, SIDE), np.uint8)
    read: list[int] = []
    errors: list[str] = []
    notes = defaultdict[str, list[Path]](list)
    # OpenCV lets go of the interpreter while it decodes.
    with ThreadPoolExecutor() as pool:
        for index, result in enumerate(pool.map(_read_face, paths)):
            if isinstance(result, SourceError):
                errors.append(_without_advice(result))
                continue
            faces[len(read)], of_image = result
            read.append(index)
            for note in of_image:
                notes[note].append(paths[index])
    for note, images in notes.items():
        more = f" (and of {len(images) - 1} more)" if len(images) > 1 else ""
        _LOG.warning("%s%s: %s", images[0], more, note)
    if errors:
        if not skip_unreadable or not read:
            raise DataError(_name_unreadable(errors, "mend or remove them, or go on with --skip-unreadable"))
        _LOG.warning("%s", _name_unreadable(errors, "they are left out"))
    return ReadImages(faces[: len(read)], np.array(read, np.int64))


_VIEW: Final = ModelSpec(name="faces", labels=FER2013_LABELS, width=SIDE, height=SIDE)


def _read_face(path: Path) -> tuple[NDArray[np.uint8], tuple[str, ...]] | SourceError:
    try:
        read: ImageFile = load_image(path)
    except SourceError as error:
        return error
    frame = Frame(read.image)
    return extract_face(frame, Detection(frame.box, framing=EXACT), _VIEW)[..., 0], read.notes


def _without_advice(error: SourceError) -> str:
    """The error without what is advised to those who want to recognize, not to train."""
    return str(error).partition("; for ")[0]


def _name_unreadable(errors: list[str], remedy: str) -> str:
    if len(errors) == 1:
        return f"{errors[0]}; {remedy.replace('them', 'it').replace('they are', 'it is')}"
    more = f"; and {len(errors) - _MOST_NAMED} more" if len(errors) > _MOST_NAMED else ""
    return f"{len(errors)} images cannot be read: {'; '.join(errors[:_MOST_NAMED])}{more}; {remedy}"


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
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_system_file(path.name))


def _label_names(root: Path, folders: list[str]) -> tuple[str, ...]:
    names = set(folders)
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
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not is_system_file(path.name):
            raise DataError(
                f"{path}: expected a picture in the folder of its label, such as "
                f"{split_folder / 'happy' / path.name}; move or remove it"
            )


def _list_images(folder: Path) -> list[Path]:
    pictures = []
    for path in sorted(folder.iterdir()):
        if is_system_file(path.name):
            continue
        if path.is_dir() or path.suffix.lower() not in IMAGE_SUFFIXES | HEIC_SUFFIXES:
            raise DataError(
                f"{path}: expected a picture ({', '.join(sorted(IMAGE_SUFFIXES))}), "
                f"got {'a folder' if path.is_dir() else 'another file'}; remove it"
            )
        pictures.append(path)
    return pictures


def _list_images_or_warn(folder: Path) -> list[Path]:
    images = _list_images(folder)
    if not images:
        _LOG.warning("%s: the folder holds no picture; it is left out as a label", folder)
    return images


def _spell_labels(names: Iterable[str]) -> dict[str, str]:
    """Each label by its name without case, as it is spelled where it comes first."""
    spelling: dict[str, str] = {}
    for name in names:
        spelling.setdefault(name.casefold(), name)
    return spelling


def _warn_of_missing_labels(
    splits: dict[str, Path], present: set[tuple[str, str]], names: tuple[str, ...]
) -> None:
    for split, folder in splits.items():
        missing = [name for name in names if (split, name) not in present]
        if missing:
            _LOG.warning("%s: the split %s has no pictures of: %s", folder, split, ", ".join(missing))
