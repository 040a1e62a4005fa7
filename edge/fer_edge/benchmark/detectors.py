"""Compare the available face detectors on a user's images."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2

from fer_edge._version import __version__
from fer_edge.detectors.base import Detector
from fer_edge.detectors.registry import DETECTORS, create_detector
from fer_edge.errors import DetectorError, FerEdgeError, SourceError, UsageError, add_hint, describe_error
from fer_edge.runtime.latency import LatencyHistogram
from fer_edge.runtime.system import choose_thread_count, count_processors, describe_machine
from fer_edge.runtime.tables import format_count, format_table
from fer_edge.sources.base import Source
from fer_edge.sources.registry import create_source_for
from fer_edge.types import FaceBox, Frame, SkippedInput

__all__ = [
    "Comparison",
    "DetectorResults",
    "build_comparison_summary",
    "compare_detectors",
    "recommend_detector",
    "render_comparison",
]

_MAX_IMAGES: Final = 300  # images or frames to search
# A detector is good enough if it finds a face in this share of the images in which the best one does.
_MIN_RELATIVE_RECALL: Final = 0.98
_SAME_FACE_IOU: Final = 0.4  # the boxes of different detectors differ


@dataclass(slots=True)
class DetectorResults:
    """The results of a detector on all images.

    ``faces`` is the number of faces, ``images`` the number of images with a face, ``searches`` holds the search times.
    """

    faces: int = 0
    images: int = 0
    searches: LatencyHistogram = field(default_factory=LatencyHistogram)


@dataclass(slots=True)
class Comparison:
    """The results of several detectors on the same images.

    ``shared_faces`` counts, for each pair of detectors, the faces that both found. ``left_out`` holds the reason for
    each detector that is not available, ``errors`` the reason for each image that could not be read.
    """

    source: str
    found: dict[str, DetectorResults]
    shared_faces: dict[tuple[str, str], int]
    left_out: dict[str, str]
    images: int = 0
    errors: list[str] = field(default_factory=list)


def _present_detectors(
    stack: ExitStack, *, still_image: bool, model: Path | None
) -> tuple[list[Detector], dict[str, str]]:
    """Return the available detectors, and for each other one the reason why it is not.

    ``stack`` closes the detectors. ``model`` is a model file for detectors that take one; the others use their
    downloaded models. Detectors that treat every image as a face are omitted, because there is nothing to compare.
    Raises DetectorError if no detector accepts ``model``.
    """
    present: list[Detector] = []
    left_out = {}
    refusals: dict[str, str] = {}
    is_used = False
    for name in DETECTORS.names:
        try:
            detector = _create_from(name, still_image, model, refusals)
            is_used |= detector is not None
            detector = detector or create_detector(name, still_image=still_image)
        except DetectorError:
            raise
        except FerEdgeError as error:
            left_out[name] = describe_error(error)
            continue
        stack.enter_context(closing(detector))
        if detector.traits.tracked:
            present.append(detector)
    if model is not None and not is_used:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
        raise DetectorError(f"{model}: no detector works with it ({reasons})")
    return present, left_out


def _create_from(
    name: str, still_image: bool, model: Path | None, refusals: dict[str, str]
) -> Detector | None:
    """Create a detector from the given model file.

    Returns None if the detector takes no model file or not this one; the latter is noted in ``refusals``.
    """
    if model is None:
        return None
    try:
        return create_detector(name, still_image=still_image, model=model)
    except UsageError:
        return None
    except FerEdgeError as error:
        refusals[name] = str(error)
        return None


def compare_detectors(
    path: str,
    *,
    model: Path | None = None,
    threads: int | None = None,
    progress: Callable[[Iterable[Frame]], Iterable[Frame]] = iter,
) -> Comparison:
    """Search every image with every available detector.

    ``path`` is an image, a folder or a video, of which at most 300 images or frames are searched. Each is searched as a
    whole, as single images and video frames are. ``progress`` wraps the iteration over them. Raises SourceError, also
    if no image can be read, and DetectorError.
    """
    cv2.setNumThreads(choose_thread_count(threads))
    source = create_source_for(path)
    with ExitStack() as stack:
        stack.enter_context(source)
        detectors, left_out = _present_detectors(stack, still_image=source.info.still, model=model)
        names = [detector.name for detector in detectors]
        comparison = Comparison(
            path,
            {name: DetectorResults() for name in names},
            dict.fromkeys(itertools.combinations(names, 2), 0),
            left_out,
        )
        for frame in progress(itertools.islice(_read_frames(source, comparison), _MAX_IMAGES)):
            # Alternate the order, so that going first is no advantage.
            turns = detectors if comparison.images % 2 == 0 else detectors[::-1]
            boxes = {turn.name: _search(turn, frame, comparison.found[turn.name]) for turn in turns}
            for one, other in comparison.shared_faces:
                comparison.shared_faces[one, other] += _count_same_faces(boxes[one], boxes[other])
            comparison.images += 1
        if not comparison.images:
            raise SourceError(f"{path}: none of the images could be read")
        return comparison


def _read_frames(source: Source, comparison: Comparison) -> Iterator[Frame]:
    for item in source:
        if isinstance(item, Frame):
            yield item
        elif isinstance(item, SkippedInput):
            comparison.errors.append(add_hint(item.error, item.hint))


def _search(detector: Detector, frame: Frame, found: DetectorResults) -> tuple[FaceBox, ...]:
    if not found.searches.count:
        detector.detect(frame)  # warm-up: the first search is slower
    started = time.perf_counter()
    boxes = tuple(face.box for face in detector.detect(frame))
    found.searches.add(time.perf_counter() - started)
    found.faces += len(boxes)
    found.images += bool(boxes)
    return boxes


def _count_same_faces(boxes: Sequence[FaceBox], others: Sequence[FaceBox]) -> int:
    """Count the faces that are in both sequences, each once."""
    left = list(others)
    same = 0
    for box in boxes:
        match = max(left, key=box.iou, default=None)
        if match is not None and box.iou(match) >= _SAME_FACE_IOU:
            left.remove(match)
            same += 1
    return same


def render_comparison(comparison: Comparison) -> list[str]:
    """Render the comparison as lines of text."""
    rows = [
        (
            name,
            f"{found.faces:,}",
            f"{found.images:,}",
            *(f"{1000 * (found.searches.percentile(percent) or 0.0):.1f}" for percent in (50, 95)),
        )
        for name, found in comparison.found.items()
    ]
    head = ("detector", "faces", "images with a face", "ms per search", "95 %")
    lines = [
        describe_machine(),
        f"{comparison.source}: {format_count(comparison.images, 'image')}",
        "",
        *format_table(head, rows),
    ]
    lines += [
        f"{one} and {other} agree on {format_count(same, 'face')}: "
        f"{_format_share(same, comparison.found[one])} of {one}'s, "
        f"{_format_share(same, comparison.found[other])} of {other}'s"
        for (one, other), same in comparison.shared_faces.items()
    ]
    lines += [f"{name} is not included: {reason}" for name, reason in comparison.left_out.items()]
    return [*lines, "", recommend_detector(comparison)[1]]


def recommend_detector(comparison: Comparison) -> tuple[str | None, str]:
    """Return the recommended detector for such images, and the reason.

    This is the fastest of the detectors that find a face in nearly as many images as the best one. Returns None as the
    detector if nothing distinguishes them.
    """
    found = comparison.found
    best = max((each.images for each in found.values()), default=0)
    if len(found) < 2:
        return None, "Only one detector is available; to get another, run: fer-edge get yunet"
    if not best:
        return None, "No detector found a face, so there is no recommendation"
    good = [name for name, each in found.items() if each.images >= _MIN_RELATIVE_RECALL * best]
    name = min(good, key=lambda each: found[each].searches.percentile(50) or 0.0)
    others = "the most" if found[name].images == best else f"the most: {best:,}"
    fastest = "the fastest detector that finds about as many" if len(good) > 1 else "the others find fewer"
    return name, (
        f"Recommendation: --detector {name}: a face in {found[name].images:,} of "
        f"{format_count(comparison.images, 'image')} ({others}), {fastest}. Boxes may be wrong: check them with -o"
    )


def _format_share(same: int, found: DetectorResults) -> str:
    return f"{same / found.faces:.0%}" if found.faces else "none"


def build_comparison_summary(comparison: Comparison) -> dict[str, Any]:
    """Build the object that ``--summary`` writes."""
    return {
        "version": __version__,
        "device": {"machine": describe_machine(), "processors": count_processors()},
        "source": comparison.source,
        "pictures": comparison.images,
        "detectors": [
            {
                "name": name,
                "faces": found.faces,
                "pictures_with_faces": found.images,
                "detect": found.searches.milliseconds(),
            }
            for name, found in comparison.found.items()
        ],
        "same_faces": [
            {"detectors": list(names), "faces": same} for names, same in comparison.shared_faces.items()
        ],
        "recommended": recommend_detector(comparison)[0],
        "left_out": comparison.left_out,
        "errors": comparison.errors,
    }
