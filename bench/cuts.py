"""Measure how many hard cuts are detected, and how many false cuts are reported.

    python -m bench.cuts [--faces ARCHIVE] [--minutes N]

Each cut leads from one scene of real faces to another, including scenes that resemble each other. Takes without a
cut contain pans, zooms, flashes, changes of light and exposure, fast motion, camera shake and fades. Where a cut
replaces a face and nothing else, faces are tracked with the Haar detector, and face IDs that continue are counted.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from bench.scene_list import SCENES, still, swinging
from bench.scenes import HEIGHT, WIDTH, Head, Scene, Stage, gray_frame, load_heads
from fer_edge.detectors.haar import HaarDetector
from fer_edge.tracking.cuts import CutDetector
from fer_edge.tracking.tracker import Tracker
from fer_edge.types import GrayImage

_DARK = {"light": lambda t: (0.2, 0.0), "grain": 4.0}


def _pan(speed: float) -> Callable[[float], tuple[float, float, float]]:
    return lambda t: (170 * math.sin(speed / 170 * t), 25 * math.sin(0.6 * speed / 170 * t), 1.0)


def _zoom(speed: float) -> Callable[[float], tuple[float, float, float]]:
    return lambda t: (0.0, 0.0, math.exp(0.35 * math.sin(speed * t)) * 1.2)


def _shake(reach: float) -> Callable[[float], tuple[float, float, float]]:
    return lambda t: (
        reach * math.sin(31 * t) + 0.5 * reach * math.sin(57 * t),
        reach * math.sin(37 * t + 1),
        1.0 + 0.01 * math.sin(19 * t),
    )


def _flash(gain: float, offset: float) -> Callable[[float], tuple[float, float]]:
    return lambda t: (gain, offset) if t % 0.9 < 0.07 else (1.0, 0.0)


_TWO = SCENES["two passing, 30 fps"].people
_ONE = [swinging(320, 180, 190, 20, 1.0)]
_FOUR = SCENES["pan"].people

TAKES: dict[str, Scene] = {
    "pan": Scene(people=_FOUR, camera=_pan(250)),
    "fast pan": Scene(people=_FOUR, camera=_pan(700)),
    "pan, 10 fps": Scene(people=_FOUR, camera=_pan(300), rate=10),
    "zoom": Scene(people=_FOUR, camera=_zoom(2.5)),
    "zoom, 10 fps": Scene(people=_FOUR, camera=_zoom(2.0), rate=10),
    "shaken": Scene(people=_FOUR, camera=_shake(14)),
    "shaken, 15 fps": Scene(people=_TWO, camera=_shake(12), rate=15),
    "flashes": Scene(people=_FOUR, light=_flash(1.7, 60)),
    "strong flashes": Scene(people=_TWO, light=_flash(2.5, 130)),
    "exposure steps": SCENES["exposure steps"],
    "light on and off": Scene(people=_FOUR, light=lambda t: (1.0, 0.0) if t % 1 < 0.5 else (0.3, 0.0)),
    "fades": SCENES["fades"],
    "fast motion": Scene(people=[swinging(320, 175, 180, 220, 6)]),
    "fast motion, 10 fps": Scene(people=[swinging(320, 175, 180, 200, 4)], rate=10),
    "close and fast, 15 fps": Scene(people=[swinging(320, 175, 300, 140, 4)], rate=15),
    "boards": SCENES["boards"],
    "six walking": SCENES["six walking"],
    "dark": Scene(people=_FOUR, **_DARK),
    "dark, panned": Scene(people=_FOUR, camera=_pan(250), **_DARK),
    "dark, fast motion": Scene(people=[swinging(320, 175, 180, 200, 4)], **_DARK),
}


class Shot:
    """A scene on its own stage; the material from which cuts are made."""

    def __init__(self, heads: list[Head], seed: int, scene: Scene, *, flat: int | None = None) -> None:
        self._stage = Stage(heads, seed)
        self.scene = scene
        if flat is not None:
            slope = np.linspace(-6, 6, self._stage.wall.shape[1], dtype=np.float32)
            self._stage.wall[:] = np.clip(flat + slope, 0, 255).astype(np.uint8)

    def frames(self, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Iterator[GrayImage]:
        """Yield the frames as uint8 gray images, resized to (width, height)."""
        for frame, _ in self._stage.frames(self.scene):
            yield np.asarray(cv2.resize(frame.gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def cut_pairs(heads: list[Head], seed: int) -> Iterator[tuple[str, Shot, Shot]]:
    """Yield a name and two consecutive shots for each kind of cut."""
    brief = Scene(people=_ONE, seconds=0.4)
    heads, others = heads[::2], heads[1::2]
    for lit, light in (("", {}), ("dark: ", _DARK)):
        one = replace(brief, **light)
        left, right, near = (replace(one, people=[still(x, 178, 188)]) for x in (210, 430, 330))
        close = replace(one, camera=lambda t: (0.0, 0.0, 1.7))
        four = replace(one, people=_FOUR)
        pairs: dict[str, tuple[Shot, Shot]] = {
            "another scene": (Shot(heads, seed, one), Shot(others, seed + 50, near)),
            "from one to four": (Shot(heads, seed, one), Shot(others, seed + 51, four)),
            "A and B of an interview": (Shot(heads, seed, left), Shot(others, seed + 53, right)),
            "same person, closer": (Shot(heads, seed, one), Shot(heads, seed, close)),
            "same gray wall": (Shot(heads, seed, one, flat=120), Shot(others, seed + 52, near, flat=120)),
            "A and B, same gray wall": (
                Shot(heads, seed, left, flat=120),
                Shot(others, seed + 53, right, flat=125),
            ),
            "same person, closer, gray wall": (
                Shot(heads, seed, one, flat=120),
                Shot(heads, seed, close, flat=120),
            ),
        }
        for name, (first, second) in pairs.items():
            yield lit + name, first, second


def main() -> None:
    """Print the detected cuts, then the false ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=Path, help=".tar.gz of images filled by a face")
    parser.add_argument("--minutes", type=float, default=10.0, help="total length of the takes without a cut")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    heads = load_heads(options.faces)
    print_cuts(heads, options.seeds)
    print_replaced_faces(heads, options.seeds)
    print_takes(heads, options.minutes)


def print_cuts(heads: list[Head], seeds: list[int]) -> None:
    """Print how many cuts of each kind are detected."""
    print("| cut to | found |\n| --- | ---: |")
    rows: dict[str, list[int]] = {}
    for seed in seeds:
        for name, first, second in cut_pairs(heads, seed):
            for size in ((WIDTH, HEIGHT), (240, 136)):
                found = find_cut(first, second, size)
                rows.setdefault(name, []).append(found)
    for name, each in rows.items():
        print(f"| {name} | {sum(each)} of {len(each)} |")


def print_replaced_faces(heads: list[Head], seeds: list[int]) -> None:
    """Print how many face IDs continue where another face takes the same place in an unchanged frame."""
    print("\n| face size in pixels | cuts | face IDs carried over |\n| --- | ---: | ---: |")
    for side in (90, 140, 190):
        cuts = carried = 0
        for seed in seeds:
            for number in range(0, len(heads) - 1, 2):
                shots = [still_shot(heads[i : i + 1], seed, side) for i in (number, number + 1)]
                before, after = follow_across(*shots)
                if before and after:
                    cuts += 1
                    carried += bool(before & after)
        print(f"| {side} | {cuts} | {carried} |", flush=True)


def still_shot(heads: list[Head], seed: int, side: float) -> Shot:
    """Return half a second of a person who stands still, in front of the wall of that seed."""
    return Shot(heads, seed, Scene(people=[still(320, 178, side)], seconds=0.5, shoulders=False))


def follow_across(first: Shot, second: Shot) -> tuple[set[int], set[int]]:
    """Return the face IDs of the last frame of the first shot and those of the second shot."""
    detector = HaarDetector()
    cuts, tracker = CutDetector(), Tracker(detector)
    numbers: list[set[int]] = []
    for index, gray in enumerate((*first.frames(), *second.frames())):
        if cuts.update(gray):
            tracker.reset()
        frame = gray_frame(gray, index, index / first.scene.rate)
        numbers.append({face.id for face in tracker.update(frame)})
    cut = len(numbers) // 2
    return numbers[cut - 1], set().union(*numbers[cut:])


def print_takes(heads: list[Head], minutes: float) -> None:
    """Print the number of false cuts in each take, and the CPU time per frame."""
    print("\n| take | minutes | false cuts | ms per frame |\n| --- | ---: | ---: | ---: |")
    seconds = 60 * minutes / len(TAKES)
    for number, (name, take) in enumerate(TAKES.items()):
        shot = Shot(heads, number, replace(take, seconds=seconds), flat=118 if number % 3 == 2 else None)
        detector, cuts, took, frames = CutDetector(), 0, 0.0, 0
        for gray in shot.frames():
            started = time.process_time()
            cuts += detector.update(gray)
            took += time.process_time() - started
            frames += 1
        print(f"| {name} | {seconds / 60:.1f} | {cuts} | {1e3 * took / frames:.2f} |", flush=True)


def find_cut(first: Shot, second: Shot, size: tuple[int, int]) -> bool:
    """Return whether only the cut between two shots is detected, in its first frame."""
    detector = CutDetector()
    before = [detector.update(gray) for gray in first.frames(size)]
    after = [detector.update(gray) for gray in second.frames(size)]
    return after[0] and not any((*before, *after[1:]))


if __name__ == "__main__":
    main()
