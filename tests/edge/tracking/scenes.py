"""A simulator of scenes: faces that move, grow, cross, hide and leave, with ground truth.

A scene draws frames with a clock and provides the true position of each face. A :class:`SceneDetector` detects them
like a real detector, only in the searched region, and with the failures that a test configures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import cv2
import numpy as np

from fer_edge.detectors.base import DetectorTraits
from fer_edge.errors import DetectorError
from fer_edge.tracking.tracker import TrackedFace, Tracker
from fer_edge.types import Detection, FaceBox, Frame, Image

WIDTH, HEIGHT, RATE = 320, 240, 25.0

Path = Callable[[float], FaceBox | None]
"""A path: the position of a face at a time in seconds; None while it is out of sight."""


# --- how faces move ---


def still(x: int, y: int, size: int = 60) -> Path:
    """Return the path of a face that does not move."""
    return lambda time_s: FaceBox(x, y, size, size)


def moving(
    start: tuple[float, float], velocity: tuple[float, float], size: float = 60, growth: float = 0
) -> Path:
    """Return the path of a face with a ``velocity`` in pixels per second and relative ``growth`` per second."""

    def at(time_s: float) -> FaceBox:
        side = round(size * (1 + growth * time_s))
        x, y = (round(s + v * time_s) for s, v in zip(start, velocity, strict=True))
        return FaceBox(x, y, side, side)

    return at


def swinging(
    center: tuple[int, int], reach: tuple[float, float], per_s: float, size: int = 60, phase: float = 0
) -> Path:
    """Return the path of a face that swings around a point, ``per_s`` radians per second."""

    def at(time_s: float) -> FaceBox:
        swing = math.sin(per_s * time_s + phase)
        return FaceBox(center[0] + round(reach[0] * swing), center[1] + round(reach[1] * swing), size, size)

    return at


def hidden(path: Path, start_s: float, end_s: float) -> Path:
    """Return a path that is out of sight for a while."""
    return lambda time_s: None if start_s <= time_s < end_s else path(time_s)


def between(path: Path, start_s: float, end_s: float) -> Path:
    """Return a path that is in sight only for a while."""
    return lambda time_s: path(time_s) if start_s <= time_s < end_s else None


MOTIONS: dict[str, Path] = {
    "still": still(100, 80),
    "right": moving((20, 60), (120, 30)),
    "left and up": moving((250, 150), (-160, -60)),
    "nearer": moving((100, 60), (0, 0), 60, growth=0.4),
    "farther": moving((100, 60), (10, 10), 120, growth=-0.3),
    "shaking": swinging((130, 90), (60, 0), 4),
    "nodding": swinging((130, 80), (0, 40), 6, 50, phase=math.pi / 2),
}
"""One path for each face."""


# --- content of frames ---


@cache
def room(number: int) -> Image:
    """Return an empty room as seen by a camera."""
    return np.random.default_rng(number).integers(118, 138, (HEIGHT, WIDTH, 3), np.uint8)


@cache
def face_image(number: int) -> Image:
    """Return a texture with the detail of a face, different for each number."""
    coarse = np.random.default_rng(number).integers(20, 236, (7, 7, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC), np.uint8)


def paste(image: Image, face: Image, box: FaceBox) -> None:
    """Draw a face into the box, clipped to the image."""
    height, width = image.shape[:2]
    seen = box.clipped(width, height)
    if seen is not None:
        scaled = cv2.resize(face, (box.width, box.height), interpolation=cv2.INTER_AREA)
        left, top = seen.x - box.x, seen.y - box.y
        image[seen.y : seen.y + seen.height, seen.x : seen.x + seen.width] = scaled[
            top : top + seen.height, left : left + seen.width
        ]


class Scene:
    """Faces on their paths in an empty room; later ones are in front of earlier ones."""

    def __init__(self, *paths: Path, rate: float = RATE) -> None:
        self.paths = paths
        self.rate = rate

    def time_of(self, index: int) -> float:
        """Return the time of a frame in seconds."""
        return index / self.rate

    def frame(self, index: int) -> Frame:
        """Draw a frame with the faces at its time."""
        image = room(index % 8).copy()
        for number, path in enumerate(self.paths):
            if (box := path(self.time_of(index))) is not None:
                paste(image, face_image(number), box)
        return Frame(image, "scene", index, self.time_of(index))

    def frames(self, seconds: float) -> Iterator[Frame]:
        """Yield the frames of the scene's first seconds."""
        return map(self.frame, range(round(seconds * self.rate)))

    def visible(self, time_s: float) -> list[FaceBox]:
        """Return the visible faces: more than half inside the frame and not covered by a later one."""
        boxes = [box for path in self.paths if (box := path(time_s)) is not None]
        inside = [box.clipped(WIDTH, HEIGHT) for box in boxes]
        return [
            box
            for number, box in enumerate(inside)
            if box is not None
            and 2 * box.width > boxes[number].width
            and all(other is None or box.iou(other) < 0.3 for other in inside[number + 1 :])
        ]


TRAITS = {
    "by size": DetectorTraits(cheap_parts=True),
    "all sizes": DetectorTraits(cheap_parts=True, all_sizes=True),
    "never": DetectorTraits(),
}
"""Ways in which a detector searches parts of a frame."""


class SceneDetector:
    """Detects the faces of a scene in the searched region and of the requested size.

    ``misses``: times at which it detects nothing. ``false_at``: from this time, its next search of a whole frame
    reports a false face. ``broken``: it fails. ``parts``: a key of TRAITS.
    ``searched`` holds the numbers of all searched frames, ``searched_everywhere`` those of the frames searched as a
    whole.
    """

    name = "scene"

    def __init__(
        self,
        scene: Scene,
        *,
        misses: Callable[[float], bool] = lambda time_s: False,
        false_at: float | None = None,
        broken: bool = False,
        parts: str = "by size",
    ) -> None:
        self.traits = TRAITS[parts]
        self.searched: list[int] = []
        self.searched_everywhere: list[int] = []
        self._scene = scene
        self._misses, self._false_at, self._broken = misses, false_at, broken

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        if self._broken:
            raise DetectorError("the cascade failed")
        assert frame.time_s is not None
        self.searched.append(frame.index)
        boxes = [] if self._misses(frame.time_s) else self._scene.visible(frame.time_s)
        if roi is None:
            self.searched_everywhere.append(frame.index)
            if self._false_at is not None and frame.time_s >= self._false_at:
                self._false_at = None
                boxes = [*boxes, FaceBox(5, 5, 40, 40)]
        else:
            assert roi.clipped(*frame.size) == roi, "a part lies inside its frame"
            least, most = 0.9 * (min_size or 0), 1.1 * (max_size or math.inf)
            boxes = [box for box in boxes if least <= box.width <= most and _shows(roi, box)]
        return tuple(Detection(box) for box in sorted(boxes, key=lambda box: -box.area))

    def smallest_face(self, frame: Frame) -> int:
        return 24

    def close(self) -> None:
        pass


def _shows(part: FaceBox, face: FaceBox) -> bool:
    """Return whether a region contains most of a face."""
    x = min(part.x + part.width, face.x + face.width) - max(part.x, face.x)
    y = min(part.y + part.height, face.y + face.height) - max(part.y, face.y)
    return x > 0 and y > 0 and x * y >= 0.85 * face.area


# --- results of a tracker ---

Run = list[tuple[TrackedFace, ...]]
"""The faces of each frame."""


def track(
    scene: Scene, seconds: float, detect_every: int | None, detector: SceneDetector | None = None
) -> Run:
    """Track the faces of a scene's first seconds."""
    tracker = Tracker(detector or SceneDetector(scene), detect_every)
    return [tracker.update(frame) for frame in scene.frames(seconds)]


def ids(faces: Sequence[TrackedFace]) -> list[int]:
    """Return the ids of a frame's faces."""
    return [face.id for face in faces]


def all_ids(run: Run) -> set[int]:
    """Return every assigned id."""
    return {number for faces in run for number in ids(faces)}


def id_at(faces: Sequence[TrackedFace], box: FaceBox | None) -> int | None:
    """Return the id of the face tracked at a position, or None."""
    assert box is not None
    found = max(faces, key=lambda face: face.detection.box.iou(box), default=None)
    return found.id if found is not None and found.detection.box.iou(box) > 0.5 else None
