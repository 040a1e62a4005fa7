"""Videos and pictures to measure on, made from the public-domain portrait or from a video of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, RATE = 956, 534, 30.0
PORTRAIT = Path(__file__).parents[1] / "tests/data/grace_hopper.jpg"


def faces_video(path: Path, faces: int, frames: int) -> Path:
    """Portraits of several sizes that drift on their own ways before a textured wall, at 30 frames a second."""
    portrait = cv2.imread(str(PORTRAIT))[40:400, 90:450]  # the head
    rng = np.random.default_rng(0)
    wall = cv2.resize(
        rng.integers(60, 190, (27, 48, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    columns = math.ceil(math.sqrt(faces * WIDTH / HEIGHT))
    rows = math.ceil(faces / columns)
    side = min(240, int(0.85 * min(WIDTH / columns, HEIGHT / rows)))
    phases = rng.uniform(0, 2 * math.pi, (faces, 2))

    def images() -> Iterator[np.ndarray]:
        for number in range(frames):
            image = wall.copy()
            for face in range(faces):
                size = int(side * (0.9 + 0.1 * math.sin(number / 40 + phases[face, 0])))
                swing = 0.06 * side
                x = (face % columns + 0.5) * WIDTH / columns + swing * math.sin(number / 15 + phases[face, 0])
                y = (face // columns + 0.5) * HEIGHT / rows + swing * math.sin(number / 19 + phases[face, 1])
                left, top = int(x - size / 2), int(y - size / 2)
                image[top : top + size, left : left + size] = cv2.resize(portrait, (size, size))
            yield image

    return _write(path, images(), RATE)


def looped_video(path: Path, source: Path, frames: int) -> Path:
    """Another video to and fro until it has that many frames, at its own rate."""
    capture = cv2.VideoCapture(str(source))
    rate = capture.get(cv2.CAP_PROP_FPS) or RATE
    once = []
    while (read := capture.read())[0]:
        once.append(read[1])
    capture.release()
    round_trip = once + once[-2:0:-1]
    return _write(path, (round_trip[number % len(round_trip)] for number in range(frames)), rate)


def photo(path: Path, width: int, height: int) -> Path:
    """The portrait, enlarged to a photo of that many pixels."""
    cv2.imwrite(
        str(path), cv2.resize(cv2.imread(str(PORTRAIT)), (width, height), interpolation=cv2.INTER_CUBIC)
    )
    return path


def _write(path: Path, images: Iterator[np.ndarray], rate: float) -> Path:
    writer = None
    for image in images:
        if writer is None:
            size = (image.shape[1], image.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        writer.write(image)
    assert writer is not None, "a video without frames"
    writer.release()
    return path
