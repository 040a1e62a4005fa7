"""Detection of hard cuts, without false ones."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from fer_edge.tracking.cuts import CutDetector
from fer_edge.types import GrayImage, Image

SIZES = pytest.mark.parametrize("size", [(320, 180), (956, 534), (120, 160)])


def room(seed: int) -> GrayImage:
    """Return a wall with objects, larger than a frame of 320×180 pixels."""
    rng = np.random.default_rng(seed)
    wall = cv2.resize(rng.normal(120, 25, (9, 16)), (560, 420), interpolation=cv2.INTER_CUBIC)
    for _ in range(30):
        x, y, w, h = rng.integers(0, 500), rng.integers(0, 380), *rng.integers(10, 90, 2)
        wall[y : y + h, x : x + w] += rng.normal(0, 35)
    return np.asarray(np.clip(wall, 20, 235), np.uint8)


def with_head(wall: GrayImage, head: GrayImage, x: int, y: int, side: int) -> GrayImage:
    shot = wall.copy()
    shot[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return shot


def view(
    shot: GrayImage, size: tuple[int, int] = (320, 180), *, x: float = 120, y: float = 120, zoom: float = 1.0
) -> GrayImage:
    """Return a camera's view of a shot."""
    pixels = cv2.getRectSubPix(shot, (round(320 / zoom), round(180 / zoom)), (x + 160, y + 90))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def noticed(*frames: GrayImage, grain: float = 2.0) -> list[bool]:
    """Return the frames in which a cut is detected."""
    detector, rng = CutDetector(), np.random.default_rng(0)
    noisy = (np.clip(frame + rng.normal(0, grain, frame.shape), 0, 255).astype(np.uint8) for frame in frames)
    return [detector.update(frame) for frame in noisy]


@pytest.fixture
def head(portrait: Image) -> GrayImage:
    return np.asarray(cv2.cvtColor(portrait[40:400, 90:450], cv2.COLOR_BGR2GRAY), np.uint8)


@SIZES
@pytest.mark.parametrize("dark", [1.0, 0.2])
def test_a_cut_to_another_room_is_noticed_once(size: tuple[int, int], dark: float, head: GrayImage) -> None:
    shots = [with_head(room(seed), head, x, 130, 130) for seed, x in ((1, 180), (2, 290))]
    frames = [np.asarray(view(shot, size) * dark, np.uint8) for shot in shots for _ in range(4)]
    assert noticed(*frames) == [False] * 4 + [True] + [False] * 3


def test_a_cut_before_one_wall_is_noticed(head: GrayImage) -> None:
    wall = np.full((420, 560), 120, np.uint8)
    first, second = with_head(wall, head, 150, 130, 140), with_head(wall, head[:, ::-1], 270, 130, 130)
    assert noticed(view(first), view(first), view(second), view(second)) == [False, False, True, False]


def test_a_cut_to_the_same_person_seen_closer_is_noticed(head: GrayImage) -> None:
    shot = with_head(room(3), head, 200, 130, 130)
    assert noticed(view(shot), view(shot), view(shot, zoom=1.7)) == [False, False, True]


CAMERAS: dict[str, Callable[[int], dict[str, float]]] = {
    "pan": lambda n: {"x": 20 + 8 * n},
    "fast pan": lambda n: {"x": 10 + 22 * n},
    "zoom": lambda n: {"zoom": 1.0 + 0.03 * n},
    "shaken": lambda n: {"x": 120 + 9 * (-1) ** n, "y": 120 + 6 * (n % 3)},
}
LIGHTS: dict[str, Callable[[int], tuple[float, float]]] = {
    "flash": lambda n: (1.7, 60) if n == 4 else (1, 0),
    "flash that burns out": lambda n: (3.0, 200) if n in (4, 5) else (1, 0),
    "light switched off and on": lambda n: (0.25, 0) if 3 < n < 7 else (1, 0),
    "exposure": lambda n: (1 - 0.06 * n, 0),
    "fade": lambda n: (abs(1 - n / 5), 0),
}


@SIZES
@pytest.mark.parametrize("camera", CAMERAS)
def test_a_moving_camera_makes_no_cut(camera: str, size: tuple[int, int], head: GrayImage) -> None:
    shot = with_head(room(4), head, 200, 130, 130)
    assert not any(noticed(*(view(shot, size, **CAMERAS[camera](n)) for n in range(11))))


@pytest.mark.parametrize("light", LIGHTS)
def test_another_light_makes_no_cut(light: str, head: GrayImage) -> None:
    seen = view(with_head(room(5), head, 200, 130, 130)).astype(np.float32)
    frames = []
    for number in range(11):
        gain, offset = LIGHTS[light](number)
        frames.append(np.clip(seen * gain + offset, 0, 255).astype(np.uint8))
    assert not any(noticed(*frames))


def test_someone_who_moves_fast_makes_no_cut(head: GrayImage) -> None:
    shots = [with_head(room(6), head, 130 + 30 * n, 130, 120) for n in range(6)]
    assert not any(noticed(*map(view, shots)))


def test_a_cut_that_follows_a_flash_is_noticed_when_something_can_be_seen(head: GrayImage) -> None:
    first, second = (view(with_head(room(seed), head, x, 130, 130)) for seed, x in ((7, 150), (8, 280)))
    white = np.full_like(first, 255)
    assert noticed(first, first, white, second) == [False, False, False, True]


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (16, 16)])
def test_tiny_and_narrow_images_are_taken(size: tuple[int, int]) -> None:
    assert noticed(*(np.full(size, level, np.uint8) for level in (0, 255, 0))) == [False] * 3


def test_after_a_reset_another_size_may_follow() -> None:
    detector = CutDetector()
    detector.update(view(room(1)))
    detector.reset()
    assert detector.update(view(room(2), (160, 90))) is False
