"""Hide faces, also for half a second before they are first detected and after they are last detected.

Detectors occasionally miss a face, and may find a new face a few frames late. A face therefore stays hidden for half
a second where it was last seen, and results wait for half a second in case a face is found that was there before.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import cv2
import numpy as np

from fer_edge.types import Detection, FaceBox, FaceResult, FrameResult, Image

__all__ = ["Anonymizer", "AnonymizerMode", "Cover", "cover_face", "hide_faces"]

AnonymizerMode = Literal["blur", "pixelate"]

_HELD_S: Final = 0.5  # how long a face is assumed to be present before and after it was found
_MAX_WAITING: Final = 128 << 20  # bytes of waiting images; above this, the oldest are released early
_BLOCKS: Final = 6  # squares across a face; with eight, a face may still be recognizable
# How far a head extends beyond the face (hair, ears, chin), in units of the face size as framed in FER-2013.
_ABOVE, _BELOW, _BESIDE = 0.5, 0.3, 0.3
# Extra margin, in face sizes, for a face not seen for _HELD_S, and for one seen only once, which may be moving.
_DRIFT, _UNKNOWN_DRIFT = 0.4, 1.0
_VELOCITY_WEIGHT: Final = 0.5  # weight of the newest step in a face's mean velocity


@dataclass(frozen=True, slots=True)
class Cover:
    """A region of an image to hide, in pixels.

    It may extend beyond the image. ``face`` is the width of the face.
    """

    box: FaceBox
    face: int

    def moved(self, x: float, y: float) -> Cover:
        """Return the region shifted by (x, y) pixels."""
        box = self.box
        return Cover(FaceBox(round(box.x + x), round(box.y + y), box.width, box.height), self.face)

    def grown(self, margin: float) -> Cover:
        """Return the region extended by ``margin`` face sizes on each side."""
        return Cover(self.box.grown(math.ceil(margin * self.face)), self.face)

    def joined(self, other: Cover) -> Cover:
        """Return the smallest region that contains both."""
        a, b = self.box, other.box
        left, top = min(a.x, b.x), min(a.y, b.y)
        right, bottom = max(a.x + a.width, b.x + b.width), max(a.y + a.height, b.y + b.height)
        return Cover(FaceBox(left, top, right - left, bottom - top), max(self.face, other.face))


def cover_face(detection: Detection) -> Cover:
    """Return the region that contains a face's whole head, including hair and chin."""
    box, framing = detection.outer or detection.box, detection.framing
    width, height = framing.scale * box.width, framing.scale * box.height
    x, y = box.center
    # The classifier's crop may be higher or lower than the detector's box; cover both.
    moved = framing.shift_y * box.height
    left, top = x - (0.5 + _BESIDE) * width, y + min(0.0, moved) - (0.5 + _ABOVE) * height
    right, bottom = x + (0.5 + _BESIDE) * width, y + max(0.0, moved) + (0.5 + _BELOW) * height
    whole = FaceBox(
        math.floor(left), math.floor(top), math.ceil(right - left) + 1, math.ceil(bottom - top) + 1
    )
    return Cover(whole, max(box.width, math.ceil(width)))


def hide_faces(image: Image, covers: Sequence[Cover], mode: AnonymizerMode) -> Image:
    """Return a copy of an image in which covered faces cannot be recognized.

    ``image`` is uint8 (height, width, 3) BGR. Each region is reduced to six squares across its face. ``pixelate`` shows
    these squares, ``blur`` interpolates smoothly between them; neither keeps more of a face than the squares.
    """
    hidden = image.copy()
    height, width = image.shape[:2]
    # The largest last: where two overlap, the larger face's squares win.
    for cover in sorted(covers, key=lambda cover: cover.face):
        box = cover.box.clipped(width, height)
        if box is None:
            continue
        square = max(1, math.ceil(cover.face / _BLOCKS))
        part = hidden[box.y : box.y + box.height, box.x : box.x + box.width]
        few = cv2.resize(
            part, (max(1, box.width // square), max(1, box.height // square)), interpolation=cv2.INTER_AREA
        )
        spread = cv2.INTER_NEAREST if mode == "pixelate" else cv2.INTER_LINEAR
        part[...] = np.asarray(
            cv2.resize(few, (box.width, box.height), interpolation=spread), np.uint8
        ).reshape(part.shape)
    return hidden


@dataclass(slots=True)
class _FaceMotion:
    """The state of a face: its last cover, times in seconds, velocity in pixels/s."""

    cover: Cover
    first_s: float
    last_s: float
    velocity: tuple[float, float] | None = None

    def update(self, cover: Cover, time_s: float) -> None:
        elapsed = time_s - self.last_s
        if elapsed > 0:
            (old_x, old_y), (new_x, new_y) = self.cover.box.center, cover.box.center
            x, y = (new_x - old_x) / elapsed, (new_y - old_y) / elapsed
            before_x, before_y = self.velocity or (x, y)
            self.velocity = (
                before_x + _VELOCITY_WEIGHT * (x - before_x),
                before_y + _VELOCITY_WEIGHT * (y - before_y),
            )
        self.cover, self.last_s = cover, time_s

    def at(self, time_s: float) -> Cover:
        """Return the cover of the face at another time.

        The cover includes every position from where it was last seen to where its motion would have taken it.
        """
        elapsed = time_s - self.last_s
        drift = abs(elapsed) / _HELD_S
        if self.velocity is None:
            return self.cover.grown(_UNKNOWN_DRIFT * drift)
        moved = self.cover.moved(self.velocity[0] * elapsed, self.velocity[1] * elapsed)
        return self.cover.joined(moved).grown(_DRIFT * drift)


@dataclass(slots=True)
class _DelayedResult:
    """A waiting result, and the regions to hide in it, by face."""

    result: FrameResult
    covers: dict[int, Cover] = field(default_factory=dict)

    @property
    def time_s(self) -> float:
        return self.result.frame.time_s or 0.0

    @property
    def bytes(self) -> int:
        width, height = self.result.frame.size
        return 3 * width * height

    def hide(self, face: int, cover: Cover) -> None:
        before = self.covers.get(face)
        self.covers[face] = cover if before is None else before.joined(cover)


class Anonymizer:
    """Determines the regions to hide in each result.

    Results are released in order, half a second later. Still images are released at once, because no other frame can
    show the same face. If the waiting images exceed 128 MiB, the oldest are released early.
    """

    def __init__(self) -> None:
        self._faces: dict[int, _FaceMotion] = {}
        self._waiting: deque[_DelayedResult] = deque()
        self._held = 0  # bytes

    def add(self, result: FrameResult) -> Iterator[tuple[FrameResult, tuple[Cover, ...]]]:
        """Add the next result; yield those that have waited long enough.

        Each comes with the regions to hide. Still images are yielded at once.
        """
        time_s = result.frame.time_s
        if time_s is None:
            yield result, tuple(cover_face(face.detection) for face in result.faces)
            return
        newest = _DelayedResult(result)
        for face in result.faces:
            self._add_face(face, newest, time_s)
        for number, seen in list(self._faces.items()):
            if not 0 <= time_s - seen.last_s <= _HELD_S:  # the clock may have been set back
                del self._faces[number]
            elif seen.last_s < time_s:
                newest.hide(number, seen.at(time_s))
        self._waiting.append(newest)
        self._held += newest.bytes
        yield from self.release(time_s)

    def release(self, time_s: float) -> Iterator[tuple[FrameResult, tuple[Cover, ...]]]:
        """Yield the results that have waited long enough at ``time_s``.

        ``time_s`` is on the source's clock. To be called while no new result arrives.
        """
        while self._waiting and self._is_done(self._waiting[0], time_s):
            yield self._release()

    def flush(self) -> Iterator[tuple[FrameResult, tuple[Cover, ...]]]:
        """Yield all waiting results and forget all faces.

        To be called when the run ends or another source begins, because no face continues.
        """
        while self._waiting:
            yield self._release()
        self._faces.clear()

    def _add_face(self, face: FaceResult, newest: _DelayedResult, time_s: float) -> None:
        """Hide a face in the newest result, and in earlier ones in which it was not found."""
        cover = cover_face(face.detection)
        newest.hide(face.id, cover)
        seen = self._faces.get(face.id)
        unseen_since_s = -math.inf if seen is None else seen.last_s
        if seen is None:
            seen = self._faces[face.id] = _FaceMotion(cover, time_s, time_s)
        else:
            seen.update(cover, time_s)
        for waiting in self._waiting:
            if unseen_since_s < waiting.time_s < time_s or waiting.time_s < seen.first_s:
                waiting.hide(face.id, seen.at(waiting.time_s))

    def _is_done(self, oldest: _DelayedResult, time_s: float) -> bool:
        return self._held > _MAX_WAITING or not 0 <= time_s - oldest.time_s < _HELD_S

    def _release(self) -> tuple[FrameResult, tuple[Cover, ...]]:
        oldest = self._waiting.popleft()
        self._held -= oldest.bytes
        return oldest.result, tuple(oldest.covers.values())
