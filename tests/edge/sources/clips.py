"""Real videos of many kinds, quickly written by PyAV."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fer_edge.runtime.scheduling import keep_scheduling
from fer_edge.types import Image
from tests.edge.support import read_back

FACE = Path(__file__).parents[2] / "data" / "grace_hopper.jpg"
BAR = 8  # width of the bar per frame, in pixels


def face(size: tuple[int, int] = (256, 192)) -> Image:
    """Return the portrait at a given size."""
    return np.asarray(cv2.resize(read_back(FACE), size, interpolation=cv2.INTER_AREA), np.uint8)


def numbered(number: int, size: tuple[int, int] = (256, 192)) -> Image:
    """Return the portrait with the frame number as the length of a white bar on black."""
    image = face(size)
    image[-16:] = 0
    image[-16:, : BAR * (number % (size[0] // BAR))] = 255
    return image


def number_in(gray: Any) -> int:
    """Read the number from such a frame."""
    return round(float((gray[-8] > 128).sum()) / BAR)


def write_clip(
    path: Path,
    codec: str = "libx264",
    *,
    format: str | None = None,
    frames: int = 20,
    rate: int | Fraction = 25,
    size: tuple[int, int] = (256, 192),
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    stamps: Callable[[int], int] | None = None,
    time_base: Fraction | None = None,
    pixel_shape: Fraction | None = None,
    sound_s: float = 0.0,
    gop: int = 10,
    **context: Any,
) -> Path:
    """Write numbered frames; ``stamps`` are their times in units of ``time_base`` (default 1 / rate)."""
    with keep_scheduling(), av.open(str(path), "w", format=format) as output:
        stream: Any = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = gop
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if pixel_shape is not None:
            stream.codec_context.sample_aspect_ratio = pixel_shape
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if sound_s:
            _add_sound(output, sound_s)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), format="bgr24").reformat(format=pixels)
            frame.pts = number if stamps is None else stamps(number)
            frame.time_base = time_base or Fraction(1) / Fraction(rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _add_sound(output: Any, seconds: float) -> None:
    codec = "libopus" if output.format.name == "webm" else "mp2" if output.format.name == "mpegts" else "aac"
    stream = output.add_stream(codec, rate=48_000, layout="mono")
    layout = "s16" if codec == "mp2" else "flt" if codec == "libopus" else "fltp"
    step = stream.codec_context.frame_size or 960
    packets = []
    for start in range(0, round(seconds * 48_000), step):
        frame = av.AudioFrame(format=layout, layout="mono", samples=step)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        packets += stream.encode(frame)
    output.mux(packets + stream.encode(None))


def remux(
    source: Path,
    target: Path,
    shift_s: float | Callable[[int], float] = 0.0,
    *,
    first: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Copy the packets of a video from ``first`` on, with shifted presentation times."""
    with av.open(str(source)) as input_, av.open(str(target), "w", options=options or {}) as output:
        video = input_.streams.video[0]
        stream: Any = output.add_stream_from_template(video)
        number = 0
        for packet in input_.demux(video):
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            if number >= first:
                shift = shift_s(number) if callable(shift_s) else shift_s
                ticks = round(shift / packet.time_base)
                packet.pts += ticks
                if not callable(shift_s):
                    packet.dts += ticks
                packet.stream = stream
                output.mux(packet)
            number += 1
    return target


def set_display_matrix(path: Path, signs: Sequence[int]) -> Path:
    """Write a display matrix (a, b, c, d) into an .mp4 or .mov file."""
    content = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in signs)
    place = content.index(b"tkhd") + 4 + 40
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def with_hole(content: bytes, start: float = 0.5, share: float = 0.05) -> bytes:
    """Return the content with zeros in a range that starts at a share of its length."""
    damaged, at, length = bytearray(content), int(len(content) * start), int(len(content) * share)
    damaged[at : at + length] = bytes(length)
    return bytes(damaged)
