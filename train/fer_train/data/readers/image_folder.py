"""Faces as image files: ``train/<label>/…``, ``test/<label>/…``."""

from __future__ import annotations

import logging
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.preprocess import extract_face
from fer_edge.detectors.full_frame import EXACT
from fer_edge.errors import DataError, SourceError
from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_edge.sources.image_io import ImageFile, load_image
from fer_edge.sources.images import HEIC_SUFFIXES, IMAGE_SUFFIXES, is_system_file
from fer_edge.types import Detection, Frame
from fer_train.data.readers.label_names import LabelNames, resolve_label_folders
from fer_train.data.readers.split_names import MERGED_TEST, find_split, resolve_merged_test
from fer_train.data.readers.table_layout import SIDE

_LOG: Final = logging.getLogger(__name__)

__all__ = [
    "CONTACT_SHEET",
    "NO_IMAGES",
    "ImageList",
    "ReadImages",
    "find_labelled_images",
    "find_split_folders",
    "list_label_folders",
    "read_images",
]

CONTACT_SHEET: Final = "contact-sheet.png"
"""The name of the image of all crops that lies beside the folders of labels, and is not one of them."""

NO_IMAGES: Final = (
    "there are no images in folders of labels, such as train/happy/ and test/happy/; put them there"
)
_MOST_NAMED: Final = 20  # unreadable images; the rest are counted


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of a data set: their paths, indices into ``label_names``, and splits; aligned.

    ``names_splits``: the folder has folders of splits; otherwise all images are Training.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    label_names: tuple[str, ...]
    names_splits: bool = True


def find_labelled_images(root: Path) -> ImageList:
    """Find the images below ``root``, in the order of their paths.

    ``train`` is Training, ``val`` PublicTest. Copies of FER-2013 merge its two test splits into ``test``:
    that is PublicTest where there is no ``val``, so that PrivateTest stays held back, and PrivateTest where
    there is one. Without folders of splits, folders of labels are Training. Labels are the names of the folders, as
    :func:`~fer_train.data.readers.label_names.resolve_label_folders` reads them. An empty folder is no label. That,
    what was assumed, and a label that a split lacks, is said by warnings. Hidden and system files and folders, such
    as ``__MACOSX``, are ignored.

    Raises DataError naming the folder or file that is amiss.
    """
    splits = find_split_folders(root)
    folders = [
        (split, label, images)
        for split, folder in splits.items()
        for label in list_label_folders(folder)
        if (images := _list_images_or_warn(label))
    ]
    if not folders:
        raise DataError(f"{root}: {NO_IMAGES}")
    labels = resolve_label_folders(str(root), [(split, folder.name) for split, folder, _ in folders])
    for line in labels.assumptions:
        _LOG.warning("%s: %s", root, line)
    training = {labels.label_of[folder.name] for split, folder, _ in folders if split == "Training"}
    found: list[tuple[Path, int, str]] = []
    for split, folder, images in folders:
        name = labels.label_of[folder.name]
        if training and name not in training:
            raise DataError(
                f"{folder}: Training has no label {folder.name!r} (it has {', '.join(sorted(training))}); "
                "rename or remove the folder"
            )
        found += [(path, labels.names.index(name), split) for path in images]
    _warn_of_missing_labels(splits, {(split, labels.names[label]) for _, label, split in found}, labels)
    paths, indices, split_names = zip(*found, strict=True)
    return ImageList(paths, indices, split_names, labels.names, names_splits=_names_splits(root, splits))


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


def find_split_folders(root: Path) -> dict[str, Path]:
    """Find the folder of each split, in the order of FER-2013's; looks into a folder that is alone.

    Without folders of splits it is Training's alone. Raises DataError naming the folder or image that is amiss.
    """
    folders = _subfolders(root)
    named = {folder: find_split(folder.name) for folder in folders}
    if len(folders) == 1 and not named[folders[0]] and _subfolders(folders[0]):
        return find_split_folders(folders[0])
    if not any(named.values()):
        return _take_labels_for_training(root, folders)
    splits: dict[str, Path] = {}
    for folder, split in named.items():
        if split is None:
            raise DataError(_describe_no_split(folder))
        if split in splits:
            raise DataError(f"{folder}: {splits[split].name} is a folder of the same split; merge them")
        splits[split] = folder
    if MERGED_TEST in splits:
        test = splits.pop(MERGED_TEST)
        meant = resolve_merged_test(splits)
        if meant in splits:
            raise DataError(
                f"{test}: {splits[meant].name} is a folder of the same split, {meant}; merge them"
            )
        splits[meant] = test
    return {
        name: _skip_repeated(splits[name])
        for name in ("Training", "PublicTest", "PrivateTest")
        if name in splits
    }


def _names_splits(root: Path, splits: dict[str, Path]) -> bool:
    """Whether the data set has folders of splits, not of labels alone."""
    training = splits.get("Training")
    return len(splits) > 1 or training is None or (training != root and find_split(training.name) is not None)


def _take_labels_for_training(root: Path, folders: list[Path]) -> dict[str, Path]:
    """The folder that holds labels' folders, as that of Training."""
    nested = next((folder for folder in folders if _subfolders(folder)), None)
    if nested is not None:
        raise DataError(
            f"{root}: splits come first and labels in them, as in train/happy/ and test/happy/; "
            f"{nested.name} is not a split's name and holds the folder {_subfolders(nested)[0].name}; rearrange them"
        )
    _refuse_loose_images(root)
    if len(folders) < 2 or not any(map(_holds_files, folders)):
        for folder in folders:
            _refuse_loose_images(folder)
        raise DataError(f"{root}: {NO_IMAGES}")
    return {"Training": root}


def _describe_no_split(folder: Path) -> str:
    if any(find_split(inner.name) for inner in _subfolders(folder)):
        return f"{folder}: the folder holds splits beside other ones; name it as DATA, or move it away"
    return (
        f"{folder}: {folder.name!r} is not the name of a split, such as train, val or test; labels' folders "
        f"belong into {folder.parent / 'train'}, others elsewhere"
    )


def _skip_repeated(split: Path) -> Path:
    """The folder below, where a split's folder holds nothing but another one of the same name."""
    folders = _subfolders(split)
    if len(folders) == 1 and folders[0].name.lower() == split.name.lower() and _subfolders(folders[0]):
        return folders[0]
    return split


def list_label_folders(split: Path) -> list[Path]:
    """List the folders of a split, one for each label, sorted; raises DataError for an image beside them."""
    _refuse_loose_images(split)
    return _subfolders(split)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_system_file(path.name))


def _refuse_loose_images(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name == CONTACT_SHEET:
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not is_system_file(path.name):
            parent = folder if find_split(folder.name) else folder / "train"
            raise DataError(
                f"{path}: an image belongs into the folder of its label, such as "
                f"{parent / 'happy' / path.name}; move or remove it"
            )


def _holds_files(folder: Path) -> bool:
    return any(path.is_file() and not is_system_file(path.name) for path in folder.iterdir())


def _list_images(folder: Path) -> list[Path]:
    images = []
    for path in sorted(folder.iterdir()):
        if is_system_file(path.name):
            continue
        if path.is_dir():
            raise DataError(
                f"{path}: a label's folder holds images, no folders; move its images up, and remove it"
            )
        if path.suffix.lower() not in IMAGE_SUFFIXES | HEIC_SUFFIXES:
            raise DataError(f"{path}: a label's folder holds images, this is another file; remove it")
        images.append(path)
    return images


def _list_images_or_warn(folder: Path) -> list[Path]:
    images = _list_images(folder)
    if not images:
        _LOG.warning("%s: the folder holds no image; it is left out as a label", folder)
    return images


def _warn_of_missing_labels(
    splits: dict[str, Path], present: set[tuple[str, str]], labels: LabelNames
) -> None:
    for split, folder in splits.items():
        missing = [name for name in labels.names if (split, name) not in present]
        if missing:
            _LOG.warning("%s: the split %s has no images of: %s", folder, split, ", ".join(missing))
