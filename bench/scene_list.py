"""The named scenes for the tracking benchmark."""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.scenes import HEIGHT, WIDTH, Scene, Way

__all__ = ["SCENES"]


def still(x: float, y: float, side: float) -> Way:
    """Return the path of a person who stands still."""
    return lambda t: (x, y, side)


def swinging(x: float, y: float, side: float, reach: float, speed: float, phase: float = 0.0) -> Way:
    """Return the path of a person who moves back and forth, ``speed`` radians per second."""
    return lambda t: (
        x + reach * math.sin(speed * t + phase),
        y + 0.25 * reach * math.sin(1.3 * speed * t),
        side,
    )


def walking(y: float, side: float, speed: float, start: float) -> Way:
    """Return the path of a person who repeatedly crosses the frame, ``speed`` pixels per second."""
    lap = WIDTH + 2 * side
    return lambda t: ((start + speed * t) % lap - side, y + 0.04 * side * math.sin(9 * t), side)


def nearing(x: float, y: float, start: float, end: float, speed: float = 1.0) -> Way:
    """Return the path of a person who approaches the camera and moves away again."""
    return lambda t: (x, y, start * (end / start) ** (0.5 - 0.5 * math.cos(speed * t)))


def away(way: Way, every: float, share: float, offset: float = 0.0) -> Way:
    """Return a path that is absent for a share of every period of ``every`` seconds."""
    return lambda t: None if (t + offset) % every < share * every else way(t)


def passing(rate: float, side: float, speed: float) -> Scene:
    """Return a scene of two people who pass in front of each other."""
    return Scene(
        people=[
            swinging(WIDTH / 2, 165, 0.9 * side, 190, speed, math.pi),
            swinging(WIDTH / 2, 185, side, 190, speed),
        ],
        rate=rate,
        seconds=min(6.0, 200 / rate),
    )


def rows(
    count: int, columns: int, side: float, reach: float, speed: float, bottom: float = HEIGHT
) -> list[Way]:
    """Return the paths of people in rows who move back and forth, front rows lower in the image."""
    lines = math.ceil(count / columns)
    return [
        swinging(
            (n % columns + 0.5) * WIDTH / columns,
            (n // columns + 0.55) * bottom / lines,
            side,
            reach * side,
            speed * (0.7 + 0.13 * (n * 7 % 5)),
            1.7 * n,
        )
        for n in range(count)
    ]


_FOUR: list[Way] = [
    swinging(110, 150, 120, 15, 1.3),
    still(265, 200, 110),
    swinging(420, 140, 130, 12, 2.0, 1.0),
    still(555, 210, 115),
]
_FIVE_STANDING: list[Way] = [
    still(60 + 170 * n, 170 + 25 * (n % 2), 110 + 12 * (n % 3)) for n in range(-1, 6)
]


def _swaying_camera(t: float) -> tuple[float, float, float]:
    return 180 * math.sin(0.9 * t), 12 * math.sin(1.7 * t), 1.0


def _zooming_camera(t: float) -> tuple[float, float, float]:
    return 20 * math.sin(t), 0.0, 1.45 - 0.45 * math.cos(1.4 * t)


def _shaken_camera(t: float) -> tuple[float, float, float]:
    return (
        9 * math.sin(23 * t) + 6 * math.sin(41 * t + 1),
        8 * math.sin(29 * t) + 4 * math.sin(53 * t),
        1.0 + 0.01 * math.sin(17 * t),
    )


def _fading_light(t: float) -> tuple[float, float]:
    share = 0.5 + 0.5 * math.cos(2 * math.pi * t / 3)
    return min(1.0, 1.6 * share), 0.0


def _flashing_light(t: float) -> tuple[float, float]:
    return (1.7, 60.0) if t % 1.1 < 0.07 else (1.0, 0.0)


def _stepping_light(t: float) -> tuple[float, float]:
    return (1.0, 0.75, 1.3, 0.6)[int(t / 0.7) % 4], 0.0


def _board(start: float, speed: float, width: float) -> Callable[[float], tuple[float, float, float, float]]:
    lap = WIDTH + width
    return lambda t: ((start + speed * t) % lap - width, -200.0, width, 900.0)


SCENES: dict[str, Scene] = {
    "one, still": Scene(people=[still(320, 180, 160)]),
    "one, moving fast": Scene(people=[swinging(320, 175, 140, 200, 4)]),
    "one, nearer and farther": Scene(people=[nearing(320, 175, 62, 330)]),
    "two passing, 10 fps": passing(10, 150, 1.5),
    "two passing, 30 fps": passing(30, 150, 1.5),
    "two passing, 60 fps": passing(60, 170, 2.5),
    "two, close together": Scene(
        people=[swinging(320, 160, 130, 45, 1.1), swinging(330, 200, 165, 60, 1.7, 2.0)], seconds=7
    ),
    "six walking": Scene(
        people=[walking(130 + 18 * n, 95 + 9 * n, (-1) ** n * (70 + 22 * n), 130 * n) for n in range(6)]
    ),
    "twelve passing, dark, 15 fps": Scene(
        people=rows(12, 6, 78, 0.75, 1.6, 340), rate=15, seconds=10, light=lambda t: (0.35, 0.0), grain=5
    ),
    "twenty passing": Scene(people=rows(20, 7, 68, 0.7, 1.5, 350)),
    "comes and goes": Scene(
        people=[
            away(swinging(140, 170, 130, 40, 1), 2.9, 0.4),
            away(still(330, 190, 120), 2.1, 0.3, 0.5),
            away(swinging(520, 160, 140, 30, 1.4), 1.7, 0.2, 0.9),
        ],
        seconds=8,
    ),
    "leaves and returns": Scene(people=[swinging(320, 180, 150, 460, 1.3)], seconds=8),
    "boards": Scene(people=_FOUR, boards=[_board(0, 110, 120), _board(380, -70, 90)], seconds=8),
    "a board, 15 fps": Scene(
        people=rows(8, 4, 100, 0.2, 1.0), boards=[_board(0, 160, 150)], rate=15, seconds=10
    ),
    "pan": Scene(people=_FIVE_STANDING, camera=_swaying_camera, seconds=7),
    "zoom": Scene(people=_FOUR, camera=_zooming_camera),
    "shaken": Scene(people=_FOUR, camera=_shaken_camera),
    "fades": Scene(people=_FOUR, light=_fading_light),
    "flashes": Scene(people=_FOUR, light=_flashing_light),
    "exposure steps": Scene(people=_FOUR, light=_stepping_light),
    "out of focus at first": Scene(
        people=_FOUR[1::2], blur=lambda t: max(0.0, 9.0 - 18 * t) if t < 0.5 else 0.0, seconds=5
    ),
}
