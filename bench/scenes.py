"""Scenes of real faces that move, cross, hide and return, with ground truth for each frame.

A scene is drawn in gray: a textured background over which the camera pans, people with heads and shoulders in front
of it, and boards that cover them. Scene coordinates are pixels of a frame while the camera is at rest.
"""

from __future__ import annotations

import math
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from fer_edge.detectors.haar import HaarDetector
from fer_edge.types import FaceBox, Frame, GrayImage

WIDTH, HEIGHT = 640, 360
PORTRAIT = Path(__file__).parents[1] / "tests/data/grace_hopper.jpg"

_HEAD = 200  # side of a stored head, in pixels
_PROBES = (
    (320, 180, 80),
    (330, 170, 120),
    (310, 190, 180),
    (325, 185, 260),
)  # x, y, side; Haar must find all
_BORDER = 400  # pixels of background around the scene, for camera motion
_GRID = 4  # visibility is counted on every fourth pixel
_VISIBLE = 0.6  # least visible share of a face
_MIN_FACE = 33  # pixels; smaller faces are at the detector's limit

Way = Callable[[float], tuple[float, float, float] | None]
"""A path: center x, y and side of a head in scene pixels, at a time in seconds; None while absent."""


@dataclass(frozen=True)
class Head:
    """A head: ``pixels`` and ``alpha`` (side, side); ``face`` is center x, y and side as shares of its side."""

    pixels: GrayImage
    alpha: np.ndarray
    face: tuple[float, float, float] = (0.5, 0.5, 0.65)


@dataclass(frozen=True)
class Person:
    """The ground truth for one person in a frame: the face box and whether it is visible."""

    box: FaceBox
    visible: bool


def _at_rest(t: float) -> tuple[float, float, float]:
    return 0.0, 0.0, 1.0


def _even(t: float) -> tuple[float, float]:
    return 1.0, 0.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """People on their paths, later ones in front, with camera motion, light and noise.

    These are functions of the time in seconds: ``boards`` (x, y, width and height), ``camera`` (shift in x and y, and
    zoom), ``light`` (gain, and offset in gray levels) and ``blur`` (defocus sigma in pixels). ``grain`` is the sigma
    of the noise in gray levels.
    """

    people: Sequence[Way]
    seconds: float = 6.0
    rate: float = 30.0
    boards: Sequence[Callable[[float], tuple[float, float, float, float]]] = ()
    camera: Callable[[float], tuple[float, float, float]] = _at_rest
    light: Callable[[float], tuple[float, float]] = _even
    blur: Callable[[float], float] = field(default=lambda t: 0.0)
    grain: float = 2.0
    shoulders: bool = True


class Stage:
    """Draws the frames of scenes; ``seed`` determines the order of ``heads`` and the background."""

    def __init__(self, heads: Sequence[Head], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.heads = [heads[i] for i in rng.permutation(len(heads))]
        self.wall = textured_wall(rng)
        self._shades = rng.integers(30, 200, 64)
        self._grain = [rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(6)]

    def frames(self, scene: Scene) -> Iterator[tuple[Frame, list[Person | None]]]:
        """Yield each frame with the ground truth for each person, None while absent."""
        for index in range(round(scene.seconds * scene.rate)):
            t = index / scene.rate
            gray, people = self._draw(scene, t)
            gain, offset = scene.light(t)
            pixels = gray.astype(np.float32) * gain + offset + scene.grain * self._grain[index % 6]
            yield gray_frame(np.clip(pixels, 0, 255).astype(np.uint8), index, t), people

    def _draw(self, scene: Scene, t: float) -> tuple[GrayImage, list[Person | None]]:
        shift_x, shift_y, zoom = scene.camera(t)
        x0, y0 = WIDTH / 2 - zoom * (WIDTH / 2 + shift_x), HEIGHT / 2 - zoom * (HEIGHT / 2 + shift_y)
        view = np.array([[zoom, 0, x0 - zoom * _BORDER], [0, zoom, y0 - zoom * _BORDER]])
        gray = cv2.warpAffine(self.wall, view, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        owner = np.full((HEIGHT // _GRID, WIDTH // _GRID), -1, np.int16)
        boxes: list[FaceBox | None] = []
        for number, way in enumerate(scene.people):
            if (place := way(t)) is None:
                boxes.append(None)
                continue
            x, y, side = x0 + zoom * place[0], y0 + zoom * place[1], zoom * place[2]
            head = self.heads[number % len(self.heads)]
            if scene.shoulders:
                draw_shoulders(gray, owner, x, y, side, int(self._shades[number % 64]))
            put(gray, head, x, y, side)
            _own(owner, number, x, y, side)
            boxes.append(_face_box(head, x, y, side))
        for board in scene.boards:
            x, y, w, h = (zoom * v for v in board(t))
            _draw_board(gray, owner, x0 + x, y0 + y, w, h)
        if (sigma := scene.blur(t)) > 0:
            gray = cv2.GaussianBlur(gray, (0, 0), sigma)
        return gray, [
            None if box is None else Person(box, _is_visible(owner, number, box))
            for number, box in enumerate(boxes)
        ]


def gray_frame(gray: GrayImage, index: int, time_s: float) -> Frame:
    """Return a video frame whose gray image is given."""
    height, width = gray.shape
    return Frame(
        lambda: np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8),
        "scene",
        index,
        time_s,
        gray=gray,
        size=(width, height),
    )


def textured_wall(rng: np.random.Generator) -> GrayImage:
    """Return a wall with noise at many scales and hard edges, like shelves, frames and leaves."""
    height, width = HEIGHT + 2 * _BORDER, WIDTH + 2 * _BORDER
    wall = np.full((height, width), 118, np.float32)
    for cells, level in ((6, 26), (14, 18), (40, 12), (120, 8), (400, 6)):
        coarse = rng.normal(0, level, (max(2, cells * height // width), cells)).astype(np.float32)
        wall += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = (int(v) for v in rng.integers(15, 170, 2))
        wall[y : y + h, x : x + w] += rng.normal(0, 30)
    return np.clip(wall, 15, 240).astype(np.uint8)


def load_heads(archive: Path | None, count: int = 48) -> list[Head]:
    """Load heads that Haar finds at several sizes from a .tar.gz of images filled by a face.

    Without an archive, the portrait is used in several shades.
    """
    detector = HaarDetector()
    heads: list[Head] = []
    for pixels in _read_images(archive):
        head = Head(cv2.resize(pixels, (_HEAD, _HEAD), interpolation=cv2.INTER_AREA), _head_alpha())
        if (face := _find_face(detector, head)) is not None:
            heads.append(Head(head.pixels, head.alpha, face))
        if len(heads) == count:
            break
    return heads


def put(image: GrayImage, head: Head, x: float, y: float, side: float) -> None:
    """Draw a head centered at x, y with subpixel accuracy, clipped to the image."""
    height, width = image.shape
    left, top = max(0, math.floor(x - side / 2)), max(0, math.floor(y - side / 2))
    right, bottom = min(width, math.ceil(x + side / 2)), min(height, math.ceil(y + side / 2))
    if left >= right or top >= bottom:
        return
    scale = side / _HEAD
    pixels, alpha, kept = head.pixels, head.alpha, _HEAD
    while scale < 0.5:  # warping alone would skip pixels
        kept, scale = kept // 2, scale * 2
        pixels = cv2.resize(pixels, (kept, kept), interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, (kept, kept), interpolation=cv2.INTER_AREA)
    scale = side / kept
    move = np.array([[scale, 0, x - side / 2 - left], [0, scale, y - side / 2 - top]])
    size = (right - left, bottom - top)
    drawn = cv2.warpAffine(pixels, move, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    share = cv2.warpAffine(alpha, move, size)
    part = image[top:bottom, left:right]
    part[:] = (share * drawn + (1 - share) * part).astype(np.uint8)


def draw_shoulders(image: GrayImage, owner: np.ndarray, x: float, y: float, side: float, shade: int) -> None:
    """Draw the shoulders below a head; mark them in ``owner`` as an obstacle."""
    center, axes = (round(x), round(y + 0.95 * side)), (round(0.62 * side), round(0.52 * side))
    cv2.ellipse(image, center, axes, 0, 0, 360, shade, -1, cv2.LINE_AA)
    stripe = max(1, round(0.06 * side))
    cv2.line(image, (center[0], round(y)), (center[0], center[1] + axes[1]), max(0, shade - 25), stripe)
    grid = (round(center[0] / _GRID), round(center[1] / _GRID))
    cv2.ellipse(owner, grid, (axes[0] // _GRID, axes[1] // _GRID), 0, 0, 360, -2, -1)


def _read_images(archive: Path | None) -> Iterator[GrayImage]:
    if archive is None:
        head = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)[80:350, 135:405]
        for gain in (1.0, 0.85, 0.7, 0.55):
            for flipped in (head, head[:, ::-1]):
                yield cv2.convertScaleAbs(flipped, alpha=gain)
        return
    with tarfile.open(archive) as tar:
        names = sorted(name for name in tar.getnames() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        for number in np.random.default_rng(0).permutation(len(names)):
            stream = tar.extractfile(names[number])
            raw = np.frombuffer(stream.read() if stream else b"", np.uint8)
            pixels = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)
            if pixels is not None and min(pixels.shape) >= _HEAD:
                yield pixels


def _head_alpha() -> np.ndarray:
    """Return an oval mask with a soft edge."""
    alpha = np.zeros((_HEAD, _HEAD), np.float32)
    middle = _HEAD // 2
    cv2.ellipse(alpha, (middle, middle), (round(0.43 * _HEAD), round(0.47 * _HEAD)), 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 3.0)


def _find_face(detector: HaarDetector, head: Head) -> tuple[float, float, float] | None:
    """Return the median face that Haar finds, as shares of the head; None if it misses one probe."""
    places = []
    wall = textured_wall(np.random.default_rng(1))[_BORDER : _BORDER + HEIGHT, _BORDER : _BORDER + WIDTH]
    for x, y, side in _PROBES:
        image = np.full_like(wall, 110)
        put(image, head, x, y, side)
        found = detector.detect(gray_frame(image, 0, 0.0))
        if len(found) != 1:
            return None
        (cx, cy), box = found[0].box.center, found[0].box
        places.append(((cx - x) / side + 0.5, (cy - y) / side + 0.5, box.width / side))
    middle = [float(v) for v in np.median(places, axis=0)]
    return (middle[0], middle[1], middle[2]) if 0.5 < middle[2] < 0.95 else None


def _face_box(head: Head, x: float, y: float, side: float) -> FaceBox:
    cx, cy, share = head.face
    size = round(share * side)
    return FaceBox(
        round(x + (cx - 0.5) * side - size / 2), round(y + (cy - 0.5) * side - size / 2), size, size
    )


def _own(owner: np.ndarray, number: int, x: float, y: float, side: float) -> None:
    axes = (max(1, round(0.43 * side / _GRID)), max(1, round(0.47 * side / _GRID)))
    cv2.ellipse(owner, (round(x / _GRID), round(y / _GRID)), axes, 0, 0, 360, number, -1)


def _draw_board(gray: GrayImage, owner: np.ndarray, x: float, y: float, w: float, h: float) -> None:
    corners = [(round(x), round(y)), (round(x + w), round(y + h))]
    cv2.rectangle(gray, *corners, 70, -1)
    for step in range(0, max(1, round(w)), 22):
        cv2.line(gray, (round(x) + step, round(y)), (round(x) + step, round(y + h)), 95, 3)
    cv2.rectangle(owner, *[(a // _GRID, b // _GRID) for a, b in corners], -2, -1)


def _is_visible(owner: np.ndarray, number: int, box: FaceBox) -> bool:
    """Return whether most of a face is in the frame and uncovered."""
    part = box.clipped(WIDTH, HEIGHT)
    if part is None or part.area < 0.85 * box.area or box.width < _MIN_FACE:
        return False
    rows = slice(part.y // _GRID, (part.y + part.height) // _GRID + 1)
    columns = slice(part.x // _GRID, (part.x + part.width) // _GRID + 1)
    return bool(np.mean(owner[rows, columns] == number) >= _VISIBLE)
