"""Photos in label folders, with or without split folders above them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_edge.errors import DataError
from fer_edge.sources.images import is_image_path
from fer_edge.sources.left_out import is_system_file
from fer_train.data.readers.image_folder import NO_IMAGES, find_split_folders, list_label_folders
from fer_train.data.readers.label_names import resolve_label_folders

__all__ = ["Photo", "find_photos"]


@dataclass(frozen=True, slots=True)
class Photo:
    """A file in a label folder, and the relative path of its crop.

    ``is_image`` is True if it has the suffix of an image. The names of all crops differ, even when ignoring case.
    """

    path: Path
    crop: Path
    label: str
    is_image: bool


def find_photos(root: Path) -> list[Photo]:
    """Find the files of a folder of photos, sorted by their paths.

    The folders must have the structure that :func:`fer_train.data.dataset.load_faces` reads, so that the crops can be
    used for training. Raises DataError if they do not, for example if there are 101 labels.
    """
    if not root.is_dir():
        state = "is a file" if root.exists() else "does not exist"
        raise DataError(f"{root} {state}; specify a folder that contains one folder of photos per label")
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
    """Return a unique name for a crop.

    It is the name of the photo, with the suffix added if two photos have the same name.
    """
    name, number = path.stem, 1
    while name.casefold() in taken:
        number += 1
        kind = path.suffix[1:].lower()
        name = f"{path.stem}-{kind}" if number == 2 else f"{path.stem}-{kind}-{number}"
    taken.add(name.casefold())
    return name
