"""A synthetic benchmark video: a drawn face moving in front of a mottled wall."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.types import FaceBox, Image

__all__ = ["draw_frames", "write_synthetic_video"]

_WIDTH, _HEIGHT, _RATE = 960, 540, 30.0
_SIDE: Final = 220  # pixels: the height of the whole head

# BGR
_SKIN, _LIGHT, _SHADE = (150, 175, 215), (170, 195, 235), (95, 115, 155)
_HAIR, _LINE, _WHITE, _LIPS = (30, 35, 45), (35, 40, 55), (230, 230, 230), (70, 70, 130)


def write_synthetic_video(path: Path, frames: int) -> None:
    """Write an .mp4 of 960×540 pixels at 30 frames a second, with one detectable face.

    The content is always the same. Raises OutputError if the file cannot be written.
    """
    from fer_edge.sinks.video_encoder import VideoEncoder
    from fer_edge.sinks.video_kinds import choose_encoder, find_video_kind

    kind = find_video_kind(path)
    with closing(
        VideoEncoder(path, kind, choose_encoder(kind), size=(_WIDTH, _HEIGHT), rate=_RATE)
    ) as encoder:
        for image, _ in draw_frames(frames):
            encoder.write(image)


def draw_frames(count: int) -> Iterator[tuple[Image, FaceBox]]:
    """Yield images of the wall and the face, with the head's box.

    Images are uint8 (540, 960, 3) BGR.
    """
    wall, (face, opacity) = _draw_wall(), _draw_face()
    for number in range(count):
        x = round(_WIDTH / 2 + 0.25 * _WIDTH * math.sin(number / 40)) - _SIDE // 2
        y = round(_HEIGHT / 2 + 0.1 * _HEIGHT * math.sin(number / 25)) - _SIDE // 2
        image = wall.copy()
        part = image[y : y + _SIDE, x : x + _SIDE]
        part[:] = part * (1 - opacity) + face * opacity
        yield image, FaceBox(x, y, _SIDE, _SIDE)


def _draw_wall() -> Image:
    """Draw soft patches with too little contrast to resemble faces."""
    patches = np.random.default_rng(0).integers(95, 145, (18, 32, 3), np.uint8)
    return np.asarray(cv2.resize(patches, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def _draw_face() -> tuple[Image, NDArray[np.float32]]:
    """Draw a face with the bright and dark areas that cascades look for.

    Returns it with its opacity, (side, side, 1) in 0…1.
    """
    face = np.full((_SIDE, _SIDE, 3), _HAIR, np.uint8)
    opacity = np.zeros((_SIDE, _SIDE, 1), np.float32)

    def oval(image: Image | NDArray[np.float32], where: tuple[int, ...], color: tuple[float, ...]) -> None:
        """Draw a filled ellipse: center, width and height in % of the face's height."""
        x, y, width, height = (value * _SIDE / 100 for value in where)
        axes = (round(width / 2), round(height / 2))
        cv2.ellipse(image, (round(x), round(y)), axes, 0, 0, 360, color, cv2.FILLED, cv2.LINE_AA)

    oval(opacity, (50, 50, 76, 98), (1.0,))
    oval(face, (50, 56, 64, 84), _SKIN)
    for eye in (35, 65):
        oval(face, (eye, 45, 22, 14), _SHADE)
        oval(face, (eye, 46, 14, 7), _WHITE)
        oval(face, (eye, 46, 6, 6), _LINE)
        oval(face, (eye, 37, 22, 4), _LINE)
    oval(face, (50, 63, 12, 7), _SHADE)
    oval(face, (50, 55, 6, 22), _LIGHT)
    oval(face, (50, 78, 26, 9), _LIPS)
    oval(face, (50, 78, 22, 2), _LINE)
    soft = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.012 * _SIDE), np.uint8)
    return soft, np.asarray(cv2.GaussianBlur(opacity, (0, 0), 2.0), np.float32)[..., None]
