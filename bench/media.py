"""Videos and images for benchmarks, made from the public-domain portrait or from a given video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

WIDTH, HEIGHT, RATE = 956, 534, 30.0
PORTRAIT = Path(__file__).parents[1] / "tests/data/grace_hopper.jpg"


def faces_video(path: Path, faces: int, frames: int) -> Path:
    """Write a video of portraits that drift in front of a textured wall, at 30 frames per second."""
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


def looped_video(path: Path, source: Path, *, frames: int = 0, seconds: float = 0.0) -> Path:
    """Write ``source`` repeatedly, copying packets, until ``frames`` or ``seconds`` are reached."""
    with av.open(str(path), "w") as output:
        written, begins_s = 0, 0.0
        stream: Any = None
        while written < frames or begins_s < seconds:
            with av.open(str(source)) as once:
                video = once.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                shift = round(begins_s / video.time_base)
                for packet in once.demux(video):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        output.mux(packet)
                        written += 1
                begins_s += float(video.duration * video.time_base)
    return path


def photo(path: Path, width: int, height: int) -> Path:
    """Write the portrait, enlarged to ``width`` × ``height`` pixels."""
    cv2.imwrite(
        str(path), cv2.resize(cv2.imread(str(PORTRAIT)), (width, height), interpolation=cv2.INTER_CUBIC)
    )
    return path


def _write(path: Path, images: Iterator[np.ndarray], rate: float) -> Path:
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in images:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))
    return path
