"""Videos of moving faces for the archive tests, and their rows as ``fer-edge video`` writes them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import av
import numpy as np

from fer_edge.recognizer import EmotionRecognizer
from fer_edge.types import FaceBox, FrameRecord, Image
from tests.edge.sources.clips import face

RATE = 10
SIZE = (480, 270)


def write_faces(path: Path, seconds: float, *, phase: float = 0.0, gop: int = RATE) -> Path:
    """Write a video of two moving portraits; the second one is absent from second three to seven."""
    portrait = face((80, 96))
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = gop
        for number in range(round(seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(_draw(portrait, number, phase), format="bgr24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def _draw(portrait: Image, number: int, phase: float) -> Image:
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    for face_number in range(1 if 3 * RATE <= number < 7 * RATE else 2):
        x = round(30 + 220 * face_number + 60 * (1 + math.sin(number / 30 + phase + face_number)))
        y = round(80 + 50 * math.sin(number / 50 + face_number + phase))
        image[y : y + 96, x : x + 80] = portrait
    return image


def reference_rows(path: Path) -> list[FrameRecord]:
    """Return the rows that ``fer-edge video`` writes for the video."""
    with EmotionRecognizer(threads=1) as recognizer:
        return [result.as_record() for result in recognizer.stream(path)]


def compare(ours: list[FrameRecord], reference: list[FrameRecord]) -> tuple[float, float]:
    """Return the shares of the reference faces with a matching box, and with the same label in it."""
    total = placed = same = 0
    for row, expected in zip(ours, reference, strict=True):
        assert (row["frame"], row["time_s"]) == (expected["frame"], expected["time_s"])
        for one in expected["faces"]:
            total += 1
            box = FaceBox(*one["box"])
            near = [other for other in row["faces"] if box.iou(FaceBox(*other["box"])) >= 0.7]
            placed += bool(near)
            same += any(other["emotion"] == one["emotion"] for other in near)
    assert total
    return placed / total, same / total


def drop_source(rows: list[FrameRecord]) -> list[dict[str, Any]]:
    """Return the rows without the source name, with scores at Parquet's precision."""
    return [
        {key: value for key, value in cast("dict[str, Any]", row).items() if key != "source"} for row in rows
    ]
