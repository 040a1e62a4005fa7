"""A tracked face: its position, appearance, motion and reliability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from fer_edge.tracking.template import Match, Template, match_template
from fer_edge.types import Detection, FaceBox, GrayImage

__all__ = ["Track"]

_VELOCITY_WEIGHT: Final = 0.4  # weight of the newest step in a face's mean velocity
_EDGE: Final = 0.15  # of its size: the distance from the edge at which a face may be leaving
_LEAVING_S: Final = 1.0  # the time in which half of it would be out of sight
_SURE: Final = 0.92  # similarity below which other sizes are tried
_SCALE_STEP: Final = 1.06
_SCALE_REACH: Final = 0.15  # of its size: the search distance at another size
_SCALE_GAIN: Final = 0.005  # the gain in similarity required for another size
_SCALE_LIMIT: Final = 1.3  # the largest change in size since the detector last found it
_ESTABLISHED: Final = 4.0  # weight of the support of a face that is already followed
_MOVING_S: Final = (
    0.15  # how long a missed face is assumed to move on; after that, it is expected at its last position
)


@dataclass(slots=True)
class Track:
    """A tracked face.

    It holds its last position and time, its appearance when last confirmed, and its velocity (pixels/s).
    ``miss_count`` counts the consecutive searches in which the detector did not find it; ``established`` means
    that it was also present in the previous frame; ``may_return`` means that it
    was there a moment ago and may return. ``replaced`` means that another face appeared in its place from one frame to
    the next. ``scale`` is its size relative to its template. ``occluder`` is the track that was in front of it when
    it got lost. ``last_occlusion_s`` is when another face was last lost behind this one, ``last_border_search_s`` when
    the area around it was last searched.
    """

    id: int
    detection: Detection
    seen_s: float
    template: Template
    similarity: float = 1.0
    velocity: tuple[float, float] = (0.0, 0.0)
    miss_count: int = 0
    established: bool = False
    may_return: bool = False
    replaced: bool = False
    scale: float = 1.0
    occluder: Track | None = None
    last_occlusion_s: float = -math.inf
    last_border_search_s: float = -math.inf

    @property
    def box(self) -> FaceBox:
        """The face's last position."""
        return self.detection.box

    @property
    def doubt(self) -> tuple[float, ...]:
        """The sort key that decides which of two tracks on one face ends: the larger one.

        Support varies from search to search, so a face that is already followed only ends for a box that appears on it
        with far more support. If both are equally sure, the newer track ends.
        """
        weight = _ESTABLISHED if self.established else 1.0
        return self.miss_count, -weight * (self.detection.support or 0), self.id

    def match(self, gray: GrayImage, time_s: float) -> Match:
        """Find the position and size at which the face is most similar to its template."""
        best = match_template(gray, self.template, self.predict(time_s), size=self.scale)
        if best.similarity >= _SURE or self.miss_count:
            # A face that the detector misses may be about to be covered, and then seems to shrink.
            return best
        for scale in (self.scale * _SCALE_STEP, self.scale / _SCALE_STEP):
            if not 1 / _SCALE_LIMIT <= scale <= _SCALE_LIMIT:
                continue
            (x, y), template = best.box.center, self.template.box
            w, h = round(scale * template.width), round(scale * template.height)
            near = FaceBox(round(x - w / 2), round(y - h / 2), w, h)
            match = match_template(gray, self.template, near, size=scale, reach=_SCALE_REACH)
            if match.similarity > best.similarity + _SCALE_GAIN:
                best, self.scale = match, scale
                break
        return best

    def predict(self, time_s: float) -> FaceBox:
        """Return the box where the face is expected.

        This is its last box moved on, or the last box itself if the face has been missed for a while. Hidden faces
        stop, turn around or move on, so the last position is the best estimate (J. Cao et al.,
        "Observation-Centric SORT", 2023).
        """
        elapsed = time_s - self.seen_s
        if self.may_return and elapsed > _MOVING_S:
            return self.box
        return self.moved_on(time_s)

    def moved_on(self, time_s: float) -> FaceBox:
        """Return the box where the face would be at constant velocity."""
        elapsed = time_s - self.seen_s
        return FaceBox(
            round(self.box.x + self.velocity[0] * elapsed),
            round(self.box.y + self.velocity[1] * elapsed),
            self.box.width,
            self.box.height,
        )

    def is_leaving(self, size: tuple[int, int]) -> bool:
        """Return whether the face is about to leave a frame of ``size`` (width, height).

        A face that enters there afterward is somebody else.
        """
        box, ahead_s = self.box, _LEAVING_S
        return any(
            (start <= _EDGE * side and speed * ahead_s < -side / 2)
            or (start + side >= length - _EDGE * side and speed * ahead_s > side / 2)
            for start, side, length, speed in (
                (box.x, box.width, size[0], self.velocity[0]),
                (box.y, box.height, size[1], self.velocity[1]),
            )
        )

    def update(self, detection: Detection, time_s: float) -> None:
        """Update the face's position and velocity."""
        elapsed = time_s - self.seen_s
        if elapsed > 0:
            (old_x, old_y), (new_x, new_y) = self.box.center, detection.box.center
            kept = 1 - _VELOCITY_WEIGHT
            self.velocity = (
                kept * self.velocity[0] + _VELOCITY_WEIGHT * (new_x - old_x) / elapsed,
                kept * self.velocity[1] + _VELOCITY_WEIGHT * (new_y - old_y) / elapsed,
            )
        self.detection, self.seen_s = detection, time_s

    def confirm(self, gray: GrayImage, detection: Detection, time_s: float) -> None:
        """Update the track after the detector found the face, including its appearance."""
        self.update(detection, time_s)
        self.template = Template.from_box(gray, detection.box)
        self.scale, self.miss_count, self.may_return, self.replaced = 1.0, 0, False, False
        self.occluder = None
