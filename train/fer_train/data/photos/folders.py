"""The photos of a data set, in folders of labels, with or without folders of splits above them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_edge.errors import DataError
from fer_edge.sources.images import is_image_path, is_system_file
from fer_train.data.readers.image_folder import NO_IMAGES, find_split_folders, list_label_folders
from fer_train.data.readers.label_names import resolve_label_folders

__all__ = ["Photo", "find_photos"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A file in a label's folder: its path, and that of its crop, relative to the folder of crops.

    ``is_image`` is whether its suffix is an image's. No two crops have the same name, in any case of letters.
    """

    path: Path
    crop: Path
    label: str
    is_image: bool


def find_photos(root: Path) -> list[Photo]:
    """Find the files of a data set of photos, sorted by their paths.

    The folders are those that :func:`fer_train.data.dataset.load_faces` takes, so that the crops can be trained on;
    raises DataError where they cannot, such as for 101 labels.
    """
    if not root.is_dir():
        state = "it is a file" if root.exists() else "it does not exist"
        raise DataError(
            f"{root}: not a folder of photos, {state}; name one that holds a folder for each label"
        )
    folders = [
        (split, label)
        for split, folder in find_split_folders(root).items()
        for label in list_label_folders(folder)
    ]
    photos = [photo for _, folder in folders for photo in _list_photos(root, folder)]
    if not any(photo.is_image for photo in photos):
        raise DataError(f"{root}: {NO_IMAGES}")
    resolve_label_folders(str(root), [(split, folder.name) for split, folder in folders])
    return photos


def _list_photos(root: Path, folder: Path) -> list[Photo]:
    taken: set[str] = set()
    photos = []
    for path in sorted(folder.iterdir()):
        if is_system_file(path.name) or path.is_dir():
            continue
        is_image = is_image_path(path.name)
        name = _choose_name(path, taken) if is_image else path.stem
        photos.append(Photo(path, folder.relative_to(root) / f"{name}.png", folder.name, is_image))
    return photos


def _choose_name(path: Path, taken: set[str]) -> str:
    """A name for the crop that no photo of the folder has: that of the photo, with its kind where two share one."""
    name, number = path.stem, 1
    while name.casefold() in taken:
        number += 1
        kind = path.suffix[1:].lower()
        name = f"{path.stem}-{kind}" if number == 2 else f"{path.stem}-{kind}-{number}"
    taken.add(name.casefold())
    return name
