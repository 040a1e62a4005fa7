"""Sinks for annotated images: one file for one image, or a folder for several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2

from fer_edge.errors import OutputError, UsageError
from fer_edge.rendering.view import View
from fer_edge.runtime.atomic_files import check_file, check_folder, make_folder, staged_file
from fer_edge.sinks.base import Sink, SinkRequest, StatelessSink
from fer_edge.sinks.targets import assign_targets
from fer_edge.types import SkippedInput

__all__ = ["WRITABLE_SUFFIXES", "ImageFolderSink", "ImageSink", "create_sink", "write_image"]

WRITABLE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""File formats for annotated images; images in other formats are written as ``.png``."""


class ImageSink(StatelessSink):
    """Writes the annotated image of a single input to a file."""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.suffix.lower() not in WRITABLE_SUFFIXES:
            raise UsageError(
                f"{path}: unsupported image format; use one of {', '.join(sorted(WRITABLE_SUFFIXES))}"
            )
        check_file(path, overwrite=overwrite)
        self._path = path

    def write(self, result: View | SkippedInput) -> None:
        """Write the image."""
        if isinstance(result, View):
            write_image(self._path, result.image())


class ImageFolderSink(StatelessSink):
    """Writes annotated copies of images to a folder.

    The copies keep the paths that the images have relative to ``root``. With ``root`` None, all copies go
    directly into the folder. The constructor refuses existing copies before anything is written, because
    ``sources`` determines all names. Images with the same name get numbers.
    """

    def __init__(
        self, folder: Path, sources: Sequence[str], *, root: Path | None = None, overwrite: bool = False
    ) -> None:
        check_folder(folder)
        self._folder, self._overwrite = folder, overwrite
        self._targets = assign_targets(folder, sources, _with_writable_suffix, root=root, overwrite=overwrite)

    def write(self, result: View | SkippedInput) -> None:
        """Write the annotated copy of an image; skipped inputs have no copy."""
        if isinstance(result, View):
            target = self._targets.get(result.source) or self._assign_target(result)
            make_folder(target.parent)
            write_image(target, result.image())

    def _assign_target(self, result: View) -> Path:
        """Return the file for an image of a source that does not list its images beforehand."""
        path = self._folder / _with_writable_suffix(Path(Path(result.source).name or str(result.index)))
        if not self._overwrite and path.exists():
            raise OutputError(f"{path}: already exists; choose another folder")
        return path


def create_sink(request: SinkRequest) -> Sink:
    """Create the sink for one file, or for a folder if there are several images.

    Raises UsageError or OutputError.
    """
    output, inputs = Path(request.target), request.inputs
    names_a_file = output.suffix.lower() in WRITABLE_SUFFIXES and not output.is_dir()
    if request.root is None:
        if len(inputs) == 1 and (names_a_file or (output.suffix and not output.is_dir())):
            return ImageSink(output, overwrite=request.overwrite)
        if names_a_file:
            raise UsageError(
                f"{output}: cannot write {len(inputs)} annotated images to one file; specify a folder"
            )
    return ImageFolderSink(output, inputs, root=request.root, overwrite=request.overwrite)


def _with_writable_suffix(path: Path) -> Path:
    return path if path.suffix.lower() in WRITABLE_SUFFIXES else path.with_suffix(".png")


def write_image(path: Path, image: Any) -> None:
    """Write an image in the format of the path's suffix.

    The image is uint8 (height, width, 3) BGR. Raises OutputError.
    """
    try:
        encoded, content = cv2.imencode(path.suffix.lower(), image)
    except cv2.error as error:
        raise OutputError(f"{path}: cannot encode the image: {error.err or error}") from error
    if not encoded:
        raise OutputError(f"{path}: cannot encode the image as {path.suffix}; choose another format")
    with staged_file(path) as part:
        part.write_bytes(content.tobytes())
