"""Reader of faces in image files: ``train/<label>/…``, ``test/<label>/…``."""

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
from fer_edge.runtime.notice import Notice
from fer_edge.sources.image_io import ImageFile, load_image
from fer_edge.sources.images import HEIC_SUFFIXES, IMAGE_SUFFIXES
from fer_edge.sources.left_out import is_system_file
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
    "find_labeled_images",
    "find_split_folders",
    "list_label_folders",
    "read_images",
]

CONTACT_SHEET: Final = "contact-sheet.png"
"""Name of the overview image next to the label folders, which is not read as a face."""

NO_IMAGES: Final = "no images in label folders; put them into folders such as train/happy/ and test/happy/"
_MAX_NAMED: Final = 20  # unreadable images listed in an error; others are only counted


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of a data set.

    ``paths``, ``labels`` (indices into ``label_names``) and ``splits`` have one element per image. ``names_splits`` is
    False for a data set without split folders, in which all images are Training.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    label_names: tuple[str, ...]
    names_splits: bool = True


def find_labeled_images(root: Path) -> ImageList:
    """Find the images below ``root``, in the order of their paths.

    ``train`` is Training, ``val`` is PublicTest. Copies of FER-2013 merge its two test splits into ``test``, which is
    PublicTest if there is no ``val``, so that PrivateTest stays unused, and PrivateTest otherwise. Label folders
    without split folders are Training. Labels are the names of the folders, interpreted by
    :func:`~fer_train.data.readers.label_names.resolve_label_folders`. An empty folder is not a label. Empty folders,
    assumptions, and labels that a split lacks are logged as warnings. Hidden and system files and folders, such as
    ``__MACOSX``, are ignored.

    Raises DataError that names the folder or file with an error.
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
    return ImageList(paths, indices, split_names, labels.names, names_splits=_has_split_folders(root, splits))


@dataclass(frozen=True, slots=True)
class ReadImages:
    """The faces of all readable images, and their indices.

    ``faces`` is uint8 (n, 48, 48), ``indices`` is int64 (n,).
    """

    faces: NDArray[np.uint8]
    indices: NDArray[np.int64]


def read_images(paths: tuple[Path, ...], *, skip_unreadable: bool = False) -> ReadImages:
    """Read whole images as gray faces.

    The preprocessing is the same as that of the runtime for face crops. Notes about the decoding, such as 12-bit
    values, are logged as one warning per kind. Raises DataError that names up to 20 images that cannot be read. With
    ``skip_unreadable`` this is a warning, unless no image can be read.
    """
    faces = np.empty((len(paths), SIDE, SIDE), np.uint8)
    read: list[int] = []
    errors: list[str] = []
    notes = defaultdict[Notice, list[Path]](list)
    # OpenCV releases the GIL while decoding.
    with ThreadPoolExecutor() as pool:
        for index, result in enumerate(pool.map(_read_face, paths)):
            if isinstance(result, SourceError):
                errors.append(str(result))
                continue
            faces[len(read)], of_image = result
            read.append(index)
            for note in of_image:
                notes[note].append(paths[index])
    for note, images in notes.items():
        more = f" (and {len(images) - 1} more)" if len(images) > 1 else ""
        _LOG.warning("%s%s: %s", images[0], more, note, extra={"hint": note.hint})
    if errors:
        if not skip_unreadable or not read:
            raise DataError(
                _describe_unreadable(errors, "replace or remove them"),
                hint="or skip them with --skip-unreadable",
            )
        _LOG.warning("%s", _describe_unreadable(errors, "skipped"))
    return ReadImages(faces[: len(read)], np.array(read, np.int64))


_VIEW: Final = ModelSpec(name="faces", labels=FER2013_LABELS, width=SIDE, height=SIDE)


def _read_face(path: Path) -> tuple[NDArray[np.uint8], tuple[Notice, ...]] | SourceError:
    try:
        read: ImageFile = load_image(path)
    except SourceError as error:
        return error
    frame = Frame(read.image)
    return extract_face(frame, Detection(frame.box, framing=EXACT), _VIEW)[..., 0], read.notes


def _describe_unreadable(errors: list[str], remedy: str) -> str:
    if len(errors) == 1:
        return f"{errors[0]}; {remedy.replace('them', 'it')}"
    more = f"; and {len(errors) - _MAX_NAMED} more" if len(errors) > _MAX_NAMED else ""
    return f"cannot read {len(errors)} images: {'; '.join(errors[:_MAX_NAMED])}{more}; {remedy}"


def find_split_folders(root: Path) -> dict[str, Path]:
    """Find the folder of each split, in FER-2013's order.

    Descends into a single subfolder. Without split folders, the folder itself is Training. Raises DataError that names
    the folder or image with an error.
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
            raise DataError(f"{folder}: {splits[split].name} is the same split; merge the two folders")
        splits[split] = folder
    if MERGED_TEST in splits:
        test = splits.pop(MERGED_TEST)
        meant = resolve_merged_test(splits)
        if meant in splits:
            raise DataError(f"{test}: {splits[meant].name} is the same split, {meant}; merge the two folders")
        splits[meant] = test
    return {
        name: _skip_repeated(splits[name])
        for name in ("Training", "PublicTest", "PrivateTest")
        if name in splits
    }


def _has_split_folders(root: Path, splits: dict[str, Path]) -> bool:
    """Return whether the data set has split folders, not only label folders."""
    training = splits.get("Training")
    return len(splits) > 1 or training is None or (training != root and find_split(training.name) is not None)


def _take_labels_for_training(root: Path, folders: list[Path]) -> dict[str, Path]:
    """Return the folder of label folders as Training."""
    nested = next((folder for folder in folders if _subfolders(folder)), None)
    if nested is not None:
        raise DataError(
            f"{root}: {nested.name} contains the folder {_subfolders(nested)[0].name}, but is not the name of a "
            "split; put label folders into split folders, such as train/happy/ and test/happy/"
        )
    _refuse_loose_images(root)
    if len(folders) == 1 and _contains_files(folders[0]):
        raise DataError(
            f"{root}: only one label folder, {folders[0].name}; put the images of each label into a separate folder, "
            "such as happy/ and other/"
        )
    if len(folders) < 2 or not any(map(_contains_files, folders)):
        raise DataError(f"{root}: {NO_IMAGES}")
    return {"Training": root}


def _describe_no_split(folder: Path) -> str:
    if any(find_split(inner.name) for inner in _subfolders(folder)):
        return f"{folder}: this folder also contains splits; specify it as DATA, or move it elsewhere"
    return (
        f"{folder}: {folder.name!r} is not the name of a split, such as train, val or test; move it into "
        f"{folder.parent / 'train'} if it is a label folder, otherwise elsewhere"
    )


def _skip_repeated(split: Path) -> Path:
    """Return the subfolder if a folder contains only one of the same name."""
    folders = _subfolders(split)
    if len(folders) == 1 and folders[0].name.lower() == split.name.lower() and _subfolders(folders[0]):
        return folders[0]
    return split


def list_label_folders(split: Path) -> list[Path]:
    """List the label folders of a split, sorted.

    Raises DataError if there are images next to them.
    """
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
                f"{path}: this image is not in a label folder; move it to the folder of its label, such as "
                f"{parent / 'happy' / path.name}, or remove it"
            )


def _contains_files(folder: Path) -> bool:
    return any(path.is_file() and not is_system_file(path.name) for path in folder.iterdir())


def _list_images(folder: Path) -> list[Path]:
    images = []
    for path in sorted(folder.iterdir()):
        if is_system_file(path.name):
            continue
        if path.is_dir():
            raise DataError(
                f"{path}: a label folder must not contain folders; move the images up and remove this folder"
            )
        if path.suffix.lower() not in IMAGE_SUFFIXES | HEIC_SUFFIXES:
            raise DataError(f"{path}: not an image; remove this file from the label folder")
        images.append(path)
    return images


def _list_images_or_warn(folder: Path) -> list[Path]:
    images = _list_images(folder)
    if not images:
        _LOG.warning("%s: the folder contains no images and is ignored as a label", folder)
    return images


def _warn_of_missing_labels(
    splits: dict[str, Path], present: set[tuple[str, str]], labels: LabelNames
) -> None:
    for split, folder in splits.items():
        missing = [name for name in labels.names if (split, name) not in present]
        if missing:
            _LOG.warning("%s: the split %s has no images of: %s", folder, split, ", ".join(missing))
