"""Annotated pictures: one file for one picture, a folder for several."""

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
"""What an annotated picture can be written as; one of another kind becomes a ``.png``."""


class ImageSink(StatelessSink):
    """The annotated picture of the one frame there is, in one file."""

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.suffix.lower() not in WRITABLE_SUFFIXES:
            raise UsageError(
                f"expected a picture to write to ({', '.join(sorted(WRITABLE_SUFFIXES))}), got {str(path)!r}"
            )
        check_file(path, overwrite=overwrite)
        self._path = path

    def write(self, result: View | SkippedInput) -> None:
        """Write the picture."""
        if isinstance(result, View):
            write_image(self._path, result.image())


class ImageFolderSink(StatelessSink):
    """Annotated copies of pictures in a folder, under the paths that they have below ``root``.

    ``root`` None puts all side by side. Existing copies are refused when their turn comes, before any is
    touched: names are known from ``sources``. Two pictures of one name get numbers.
    """

    def __init__(
        self, folder: Path, sources: Sequence[str], *, root: Path | None = None, overwrite: bool = False
    ) -> None:
        check_folder(folder)
        self._targets = assign_targets(folder, sources, _with_writable_suffix, root=root, overwrite=overwrite)

    def write(self, result: View | SkippedInput) -> None:
        """Write the picture's annotated copy; one that could not be read has none."""
        if isinstance(result, View):
            target = self._targets[result.source]
            make_folder(target.parent)
            write_image(target, result.image())


def create_sink(request: SinkRequest) -> Sink:
    """Make the sink of one file for one image, of a folder for several; raises UsageError, OutputError."""
    output, inputs = Path(request.target), request.inputs
    names_a_file = output.suffix.lower() in WRITABLE_SUFFIXES and not output.is_dir()
    if request.root is None:
        if len(inputs) == 1 and (names_a_file or (output.suffix and not output.is_dir())):
            return ImageSink(output, overwrite=request.overwrite)
        if names_a_file:
            raise UsageError(
                f"expected a folder for {len(inputs)} annotated pictures, got the file name {str(output)!r}"
            )
    return ImageFolderSink(output, inputs, root=request.root, overwrite=request.overwrite)


def _with_writable_suffix(path: Path) -> Path:
    return path if path.suffix.lower() in WRITABLE_SUFFIXES else path.with_suffix(".png")


def write_image(path: Path, image: Any) -> None:
    """Write an image, uint8 (height, width, 3) BGR, in the format of the suffix; raises OutputError."""
    try:
        encoded, content = cv2.imencode(path.suffix.lower(), image)
    except cv2.error as error:
        raise OutputError(f"{path}: the picture cannot be encoded: {error.err or error}") from error
    if not encoded:
        raise OutputError(f"{path}: the picture cannot be encoded as {path.suffix}; name another kind")
    with staged_file(path) as part:
        part.write_bytes(content.tobytes())
