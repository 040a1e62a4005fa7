"""Cropping of faces from a folder of photos, with a list of all results."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fer_edge.detectors.base import Detector
from fer_edge.errors import DataError, SourceError
from fer_edge.runtime.formulas import protect_path
from fer_edge.runtime.shutdown import raise_if_interrupted
from fer_edge.runtime.staged_folders import staged_folder
from fer_edge.runtime.tables import format_count
from fer_edge.sinks.images import write_image
from fer_edge.sources.image_io import read_image
from fer_edge.types import Detection, Frame
from fer_train.data.photos.contact_sheet import draw_contact_sheet
from fer_train.data.photos.faces import FaceChoice, cut_out, find_doubt
from fer_train.data.photos.folders import Photo, find_photos
from fer_train.data.readers.image_folder import CONTACT_SHEET

__all__ = ["CROP_LIST", "CropSummary", "crop_photos"]

CROP_LIST: Final = "crops.csv"
"""Name of the CSV list of all photos and their results."""
_COLUMNS: Final = ("photo", "crop", "left_out", "faces", "x", "y", "width", "height", "score", "tilt")
_UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class _Result:
    """Result of a photo.

    ``left_out`` is the reason why there is no crop, or None. ``found`` are the faces, largest first.
    """

    photo: Photo
    left_out: str | None
    found: Sequence[Detection] = ()


@dataclass(frozen=True, slots=True)
class CropSummary:
    """Numbers of crops by label, and of photos left out by reason."""

    crops: Counter[str]
    left_out: Counter[str]

    @property
    def unreadable(self) -> int:
        """Number of photos that could not be read."""
        return self.left_out[_UNREADABLE]

    def format_lines(self) -> list[str]:
        """Format the summary as one line about the crops and one about photos left out."""
        labels = ", ".join(f"{label} {count:,}" for label, count in self.crops.items())
        lines = [f"{format_count(self.crops.total(), 'face')} cropped: {labels}"]
        if self.left_out:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.left_out.most_common())
            lines.append(f"{format_count(self.left_out.total(), 'photo')} left out: {reasons}")
        return lines


def crop_photos(
    root: Path,
    out: Path,
    detector: Detector,
    *,
    choice: FaceChoice,
    min_face: int,
    overwrite: bool = False,
    progress: Callable[[str, Iterable[Any]], Iterable[Any]] | None = None,
) -> CropSummary:
    """Crop the face of each photo below ``root`` and write it to the folder ``out``.

    ``out`` gets the same split and label folders with a PNG file for each photo with one good face, a contact sheet,
    and ``crops.csv`` with the result of each photo. ``overwrite`` replaces the crops of an earlier call. ``progress``
    wraps the photos, under the name of the task.

    Raises DataError if there are no photos or none with a usable face, and OutputError. Writes nothing to ``out`` in
    this case.
    """
    photos = find_photos(root)
    with staged_folder(out, overwrite=overwrite) as staging:
        steps = photos if progress is None else progress("Cropping", photos)
        results = list(_crop_each(steps, staging, detector, choice, min_face))
        crops = defaultdict[str, list[Path]](list)
        for result in results:
            if result.left_out is None:
                crops[result.photo.label].append(staging / result.photo.crop)
        summary = CropSummary(
            Counter({label: len(paths) for label, paths in crops.items()}),
            Counter(_shorten(result.left_out) for result in results if result.left_out is not None),
        )
        if not crops:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.left_out.most_common())
            raise DataError(
                f"{root}: no usable face in {format_count(len(photos), 'photo')} ({reasons}); check the photos, or try "
                "the detector yunet, which also finds tilted and turned faces"
            )
        write_image(staging / CONTACT_SHEET, draw_contact_sheet(crops))
        _write_list(staging / CROP_LIST, root, results)
        if overwrite:
            _remove_crops(out)
    return summary


def _crop_each(
    photos: Iterable[Photo], staging: Path, detector: Detector, choice: FaceChoice, min_face: int
) -> Iterator[_Result]:
    for photo in photos:
        raise_if_interrupted()
        yield _crop(photo, staging, detector, choice, min_face)


def _crop(photo: Photo, staging: Path, detector: Detector, choice: FaceChoice, min_face: int) -> _Result:
    if not photo.is_image:
        return _Result(photo, "not an image")
    try:
        frame = Frame(read_image(photo.path))
    except SourceError as error:
        return _Result(photo, f"{_UNREADABLE}: {str(error).removeprefix(f'{photo.path}: ')}")
    found = detector.detect(frame)
    doubt = find_doubt(frame, found, choice, min_face)
    if doubt is None:
        target = staging / photo.crop
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, cut_out(frame, found[0]))
    return _Result(photo, doubt, found)


def _shorten(reason: str) -> str:
    """Return a reason without the details of a single photo."""
    kind = reason.partition(":")[0].partition(",")[0]
    return "several faces" if kind.endswith(" faces") else kind


def _write_list(path: Path, root: Path, results: Iterable[_Result]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for result in results:
            photo, first = result.photo, result.found[0] if result.found else None
            box = None if first is None else first.box
            writer.writerow(
                [
                    protect_path(photo.path.relative_to(root).as_posix()),
                    protect_path(photo.crop.as_posix()) if result.left_out is None else "",
                    result.left_out or "",
                    len(result.found),
                    *(("",) * 4 if box is None else (box.x, box.y, box.width, box.height)),
                    "" if first is None or first.score is None else round(first.score, 4),
                    "" if first is None else round(first.tilt, 1),
                ]
            )


def _remove_crops(out: Path) -> None:
    """Remove the crops listed by an earlier call.

    Otherwise, crops of photos that no longer exist would remain.
    """
    try:
        with (out / CROP_LIST).open(newline="", encoding="utf-8") as file:
            names = [row["crop"] for row in csv.DictReader(file) if row.get("crop")]
    except (OSError, ValueError, csv.Error):
        return
    (out / CROP_LIST).unlink()
    for name in names:
        path = out / name
        with suppress(OSError, ValueError):  # an invalid file name, or the name of a folder
            if path.suffix == ".png" and path.resolve().is_relative_to(out.resolve()):
                path.unlink(missing_ok=True)
