"""Check the results of detectors from outside this package."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from fer_edge.detectors.base import MAX_BOX, Detector
from fer_edge.errors import DetectorError, FerEdgeError, reason_of
from fer_edge.types import Detection, FaceBox, Frame

__all__ = ["CheckedDetector"]

_MAX_SCALE: Final = 4  # of the framing


class CheckedDetector:
    """A detector whose failures and invalid results are DetectorErrors.

    Any other exception, a result that is not a detection, and numbers that are not finite or out of range are
    errors, never "no face". Boxes that extend beyond the frame are clipped to it, as :class:`Detector` requires, and
    coordinates become plain integers.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.name, self.traits = detector.name, detector.traits

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        """Return the detector's faces. Raises DetectorError if they are invalid or the detector fails."""
        try:
            found: Any = self._detector.detect(frame, roi, min_size=min_size, max_size=max_size)
        except FerEdgeError:
            raise
        except Exception as error:  # another package's detector may raise anything
            raise self._describe_failure(frame, error) from error
        if not isinstance(found, Iterable):
            raise self._error(frame, f"returned {type(found).__name__}; it must return a tuple of Detection")
        faces = []
        for face in found:
            if not isinstance(face, Detection):
                raise self._error(
                    frame, f"returned a {type(face).__name__} as a face; it must be a Detection"
                )
            if (problem := _find_problem(face, frame)) is not None:
                raise self._error(frame, f"returned {problem}")
            faces.append(_normalize(face, frame))
        return tuple(faces)

    def smallest_face(self, frame: Frame) -> int:
        """Return the detector's smallest face. Raises DetectorError unless it is at least one pixel wide."""
        try:
            size: Any = self._detector.smallest_face(frame)
        except FerEdgeError:
            raise
        except Exception as error:
            raise self._describe_failure(frame, error) from error
        if not _are_numbers(size) or size < 1:
            raise self._error(frame, f"returned {size!r} as its smallest face; it must be at least 1 pixel")
        rounded: int = round(size)
        return rounded

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()

    def _describe_failure(self, frame: Frame, error: Exception) -> DetectorError:
        reason, kind = reason_of(error), type(error).__name__
        return self._error(frame, f"failed: {reason if reason == kind else f'{kind}: {reason}'}")

    def _error(self, frame: Frame, problem: str) -> DetectorError:
        place = frame.source if frame.time_s is None else f"{frame.source}, frame {frame.index}"
        return DetectorError(f"{place + ': ' if frame.source else ''}the detector {self.name} {problem}")


def _find_problem(face: Detection, frame: Frame) -> str | None:
    """Return what is wrong with a face, or None."""
    for box in (face.box, face.outer):
        if box is None:
            continue
        if not isinstance(box, FaceBox) or not _are_numbers(box.x, box.y, box.width, box.height):
            return f"{box!r} as a box; it must be a FaceBox of finite numbers"
        if min(box.width, box.height) < 1:
            return f"a box of {box.width}×{box.height} pixels; it must have at least one pixel"
        if max(box.width, box.height) > MAX_BOX * max(frame.size):
            size = "×".join(map(str, frame.size))
            return (
                f"a box of {box.width}×{box.height} pixels in a frame of {size}; it is too large for a face"
            )
    if _whole_pixels(face.box).clipped(*frame.size) is None:
        return f"{face.box!r}, which is outside the frame of {'×'.join(map(str, frame.size))} pixels"
    if face.score is not None and not (_are_numbers(face.score) and 0 <= face.score <= 1):
        return f"the score {face.score!r}; it must be from 0 to 1, or None"
    if not _are_points(face.landmarks):
        return "key points that are not pairs of finite numbers"
    if not _are_numbers(face.tilt):
        return f"the tilt {face.tilt!r}; it must be a finite number of degrees"
    framing = face.framing
    if not _are_numbers(framing.scale, framing.shift_y) or not 0 < framing.scale <= _MAX_SCALE:
        return f"{framing!r}; its scale must be above 0 and at most {_MAX_SCALE}, its shift finite"
    return None


def _are_numbers(*values: Any) -> bool:
    try:
        return all(math.isfinite(value) for value in values)
    except TypeError:
        return False


def _are_points(landmarks: Any) -> bool:
    try:
        return all(_are_numbers(x, y) for x, y in landmarks)
    except (TypeError, ValueError):
        return False


def _normalize(face: Detection, frame: Frame) -> Detection:
    """Return the face with plain numbers and a box of whole pixels inside the frame."""
    box, outer = _whole_pixels(face.box), face.outer and _whole_pixels(face.outer)
    inside = box.clipped(*frame.size)
    assert inside is not None, "checked before"
    return replace(
        face,
        box=inside,
        outer=box if inside != box and outer is None else outer,
        score=None if face.score is None else float(face.score),
        landmarks=tuple((float(x), float(y)) for x, y in face.landmarks),
    )


def _whole_pixels(box: FaceBox) -> FaceBox:
    return FaceBox(round(box.x), round(box.y), max(1, round(box.width)), max(1, round(box.height)))
