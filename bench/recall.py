"""How many of the faces that a search of every frame finds are there when faces are followed.

FaceDataset on the move in scenes composed from real ones: still, moving, nearer and farther, crossing, leaving and
coming back, up to twenty at once. Every frame is searched as ``--detect-every 1`` does; whoever is seen in as
many frames in a row as lie between two searches is expected from then on, with an IoU of at least 0.5.

    python -m bench.recall [DATA] [--videos FILE ...] [--detect-every N]

DATA is FER-2013, whose faces are then used instead of the portrait alone.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.media import HEIGHT, PORTRAIT, RATE, WIDTH
from fer_edge.detectors.haar import HaarDetector
from fer_edge.sources.video import VideoSource
from fer_edge.tracking.tracker import Tracker
from fer_edge.types import FaceBox, Frame
from fer_train.data.dataset import load_faces

FRAMES = 300
SETTLED = 8  # frames in a row in which a face has to be seen before it is expected
SAME_IOU = 0.5
# Where, and how large, a head has to be found to be used: a search misses some now and then.
_PLACES = [(470 + 3 * i, 260 + 2 * i, 100 + 13 * i) for i in range(16)]

Way = Callable[[float], tuple[float, float, float] | None]
"""Centre and side of a head, in pixels, at a time in seconds; None while it is away."""


def still(x: float, y: float, side: float) -> Way:
    """A head that stays where it is."""
    return lambda t: (x, y, side)


def swinging(x: float, y: float, side: float, reach: float, speed: float) -> Way:
    """A head that goes to and fro."""
    return lambda t: (x + reach * math.sin(speed * t), y + 0.4 * reach * math.sin(1.3 * speed * t), side)


def growing(x: float, y: float, start: float, end: float) -> Way:
    """A head that comes nearer and goes again."""
    return lambda t: (x, y, start * (end / start) ** (0.5 - 0.5 * math.cos(t)))


def away(way: Way, every: float, share: float) -> Way:
    """Out of sight for a share of every so many seconds."""
    return lambda t: None if t % every < share * every else way(t)


def crossing(side: float, speed: float) -> list[Way]:
    """Two heads that pass before each other."""
    return [
        lambda t: (WIDTH / 2 + 300 * math.sin(speed * t), HEIGHT / 2, side),
        lambda t: (WIDTH / 2 - 300 * math.sin(speed * t), HEIGHT / 2 + 0.2 * side, 0.9 * side),
    ]


def crowd(rows: int, columns: int, reach: float) -> list[Way]:
    """Rows of heads, each of which goes a little to and fro."""
    side = 0.8 * min(WIDTH / columns, HEIGHT / rows)
    return [
        swinging(
            (c + 0.5) * WIDTH / columns, (r + 0.5) * HEIGHT / rows, side, reach * side, 0.5 + 0.13 * (r + c)
        )
        for r in range(rows)
        for c in range(columns)
    ]


SCENES: dict[str, list[Way]] = {
    "still": [still(470, 260, 240)],
    "moving": [swinging(470, 260, 220, 250, 1.5)],
    "moving fast": [swinging(470, 260, 220, 300, 4)],
    "nearer and farther": [growing(470, 267, 90, 420)],
    "far": [swinging(300, 200, 95, 60, 1), still(700, 350, 90)],
    "two that cross": crossing(200, 1.1),
    "comes and goes": [away(swinging(250, 250, 200, 60, 1), 3, 0.4), away(still(700, 300, 180), 2.1, 0.3)],
    "leaves and returns": [lambda t: (WIDTH / 2 + 700 * math.sin(1.2 * t), 260, 230)],
    "six": crowd(2, 3, 0.15),
    "twenty": crowd(4, 5, 0.08),
}


@dataclass
class Score:
    """``expected`` faces of which ``missed`` were not there; ``more`` boxes that the search has not."""

    expected: int = 0
    missed: int = 0
    more: int = 0
    ids: int = 0
    seconds: float = 0.0
    frames: int = 0


def portraits(data: Path | None) -> list[np.ndarray]:
    """BGR heads to put into scenes: those that Haar finds when they are."""
    head = cv2.imread(str(PORTRAIT))[40:400, 90:450]
    if data is None:
        gains = (1.0, 0.85, 0.7, 0.55)
        return [
            cv2.convertScaleAbs(picture, alpha=gain) for gain in gains for picture in (head, head[:, ::-1])
        ]
    faces = load_faces(data).split("Training")
    detector = HaarDetector()
    heads: list[np.ndarray] = []
    for index in np.random.default_rng(0).permutation(len(faces)):
        gray = cv2.resize(faces.pixels[index], (240, 240), interpolation=cv2.INTER_CUBIC)
        picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
        if all(len(detector.detect(_on_wall(picture, *place))) == 1 for place in _PLACES):
            heads.append(picture)
        if len(heads) == 20:
            break
    return heads


def _on_wall(head: np.ndarray, x: float, y: float, side: float) -> Frame:
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    put(wall, head, x, y, side)
    return Frame(wall)


def put(image: np.ndarray, head: np.ndarray, x: float, y: float, side: float) -> None:
    """Draw a head whose edge fades into the picture; what lies outside is cut off."""
    size = max(8, round(side))
    left, top = round(x - side / 2), round(y - side / 2)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(WIDTH, left + size), min(HEIGHT, top + size)
    if x0 >= x1 or y0 >= y1:
        return
    scaled = cv2.resize(
        head, (size, size), interpolation=cv2.INTER_AREA if size < len(head) else cv2.INTER_LINEAR
    )
    ramp = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.08 * size), 0, 1)
    alpha = np.minimum(ramp[:, None], ramp[None, :])[y0 - top : y1 - top, x0 - left : x1 - left, None]
    part = image[y0:y1, x0:x1]
    part[:] = (alpha * scaled[y0 - top : y1 - top, x0 - left : x1 - left] + (1 - alpha) * part).astype(
        np.uint8
    )


def scene_frames(ways: Sequence[Way], heads: Sequence[np.ndarray], rate: float) -> Iterator[Frame]:
    """The frames of a scene before a soft wall, with a camera's noise."""
    rng = np.random.default_rng(0)
    wall = cv2.resize(
        rng.integers(90, 150, (7, 12, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    grain = [rng.integers(0, 7, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(4)]
    for number in range(FRAMES):
        image = wall.copy()
        for head, way in enumerate(ways):
            if (place := way(number / rate)) is not None:
                put(image, heads[head % len(heads)], *place)
        yield Frame(cv2.add(image, grain[number % 4]), "scene", number, number / rate)


def score(frames: Iterator[Frame], detect_every: int | None) -> Score:
    """Follow, search every frame, and compare."""
    detector = HaarDetector()
    tracker = Tracker(HaarDetector(), detect_every)
    settled_after = detect_every or SETTLED
    result = Score()
    before: list[tuple[FaceBox, int]] = []
    ids: set[int] = set()
    for frame in frames:
        started = time.perf_counter()
        faces = tracker.update(frame)
        result.seconds += time.perf_counter() - started
        result.frames += 1
        ids |= {face.id for face in faces}
        boxes = [face.box for face in detector.detect(frame)]
        runs = [(box, 1 + max((n for b, n in before if b.iou(box) >= SAME_IOU), default=0)) for box in boxes]
        expected = [box for box, run in runs if run > settled_after]
        result.expected += len(expected)
        result.missed += sum(
            all(face.detection.box.iou(box) < SAME_IOU for face in faces) for box in expected
        )
        result.more += sum(all(face.detection.box.iou(box) < SAME_IOU for box in boxes) for face in faces)
        before = runs
    result.ids = len(ids)
    return result


def main() -> None:
    """Print a row for each scene and video, and the sum."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    parser.add_argument("--detect-every", type=int)
    parser.add_argument("--rate", type=float, default=RATE, help="frames per second of the scenes")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    heads = portraits(options.data)
    total = Score()
    print("| scene | faces expected | present | boxes more | faces / ids | ms a frame |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")

    def row(name: str, faces: Any, result: Score) -> None:
        present = 100 * (1 - result.missed / max(1, result.expected))
        print(
            f"| {name} | {result.expected:,} | {present:.2f} % | {result.more:,} | {faces} / {result.ids} "
            f"| {1000 * result.seconds / result.frames:.2f} |",
            flush=True,
        )

    for name, ways in SCENES.items():
        result = score(scene_frames(ways, heads, options.rate), options.detect_every)
        row(name, len(ways), result)
        _add(total, result)
    for video in options.videos:
        with VideoSource(video) as source:
            result = score((frame for frame in source if isinstance(frame, Frame)), options.detect_every)
        row(video.name, "?", result)
        _add(total, result)
    row("all", "", total)


def _add(total: Score, result: Score) -> None:
    for name in ("expected", "missed", "more", "ids", "seconds", "frames"):
        setattr(total, name, getattr(total, name) + getattr(result, name))


if __name__ == "__main__":
    main()
