"""One followed face: where it is, what it looks like, how it moves, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from fer_edge.tracking.template import Match, Template, match_template
from fer_edge.types import Detection, FaceBox, GrayImage

__all__ = ["Track"]

_VELOCITY_WEIGHT: Final = 0.4  # of the newest step in the mean of a face's motion
_EDGE: Final = 0.15  # of its size: how near the edge a face is that leaves
_LEAVING_S: Final = 1.0  # in which it would be out of sight by half
_SURE: Final = 0.92  # similarity below which it may have another size
_SCALE_STEP: Final = 1.06
_SCALE_REACH: Final = 0.15  # of its size, how far it is from where it was found at another size
_SCALE_GAIN: Final = 0.005  # of similarity that speaks for another size
_SCALE_LIMIT: Final = 1.3  # how much larger or smaller than when its detector last saw it
_MOVING_S: Final = 0.15  # for so long an unseen face is taken to move on; then it is where it was last seen


@dataclass(slots=True)
class Track:
    """A face: where and when it was last seen, its appearance when last confirmed, its motion (pixels/s).

    ``misses`` counts the searches in a row in which its detector did not see it; ``missed`` is one that
    was there a moment ago and may be again.
    ``replaced``: another face appeared in its place from one frame to the next.
    ``scale`` is how large it is compared with its template. ``coverer`` is who stood in front of it when it got lost.
    ``hid_s`` is when another face was last lost behind it, ``beside_s`` when its border was last searched for others.
    """

    id: int
    detection: Detection
    seen_s: float
    template: Template
    similarity: float = 1.0
    velocity: tuple[float, float] = (0.0, 0.0)
    misses: int = 0
    missed: bool = False
    replaced: bool = False
    scale: float = 1.0
    coverer: Track | None = None
    hid_s: float = -math.inf
    beside_s: float = -math.inf

    @property
    def box(self) -> FaceBox:
        """Where the face was last seen."""
        return self.detection.box

    @property
    def doubt(self) -> tuple[float, ...]:
        """Of two tracks on one face the one with more doubt ends; the younger one where both are as sure."""
        return self.misses, -(self.detection.support or 0), self.id

    def match(self, gray: GrayImage, time_s: float) -> Match:
        """Find the place and size at which the face looks most as it did."""
        best = match_template(gray, self.template, self.predict(time_s), size=self.scale)
        if best.similarity >= _SURE or self.misses:
            # What its detector does not see may be a face that gets covered: it seems to shrink.
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
        """The box where the face is: moved on as it did, or where it was seen if that is a while ago.

        Faces that hide stop, turn round or go on, so that the place where one was last seen is the best guess
        (J. Cao et al., "Observation-Centric SORT", 2023).
        """
        elapsed = time_s - self.seen_s
        if self.missed and elapsed > _MOVING_S:
            return self.box
        return self.moved_on(time_s)

    def moved_on(self, time_s: float) -> FaceBox:
        """The box where the face is if it has moved on as it did."""
        elapsed = time_s - self.seen_s
        return FaceBox(
            round(self.box.x + self.velocity[0] * elapsed),
            round(self.box.y + self.velocity[1] * elapsed),
            self.box.width,
            self.box.height,
        )

    def is_leaving(self, size: tuple[int, int]) -> bool:
        """Whether it is about to leave a frame of that width and height: who enters there is someone else."""
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
        """Take the face's new place over."""
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
        """The detector sees the face there: its appearance is that of now."""
        self.update(detection, time_s)
        self.template = Template.from_box(gray, detection.box)
        self.scale, self.misses, self.missed, self.replaced = 1.0, 0, False, False
        self.coverer = None
