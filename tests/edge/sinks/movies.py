"""Synthetic videos with sound, and a reader for written videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from fer_edge.rendering.view import View
from fer_edge.types import Image
from tests.edge.support import make_view, plain

BEEP_S = (1.0, 1.2)
"""The interval in which the sound of :func:`write_movie` is not silent."""


def write_movie(
    path: Path,
    *,
    codec: str = "aac",
    rate: int = 44_100,
    layout: str = "stereo",
    seconds: float = 2.0,
    sound_from: float = 0.0,
    sound_until: float = 2.0,
) -> Path:
    """Write a video at 25 frames per second, 64×48 pixels, silent except for one beep."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio: Any = output.add_stream(codec, rate=rate, options={"strict": "experimental"})
        audio.codec_context.layout = layout
        for number in range(round(seconds * 25)):
            output.mux(video.encode(av.VideoFrame.from_ndarray(plain(100), format="bgr24")))
            del number
        output.mux(video.encode(None))
        for frame in _beep(rate, layout, sound_from, sound_until):
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return path


def _beep(rate: int, layout: str, start_s: float, end_s: float) -> Iterable[Any]:
    times = np.arange(round(start_s * rate), round(end_s * rate)) / rate
    loud = (times >= BEEP_S[0]) & (times < BEEP_S[1])
    wave = np.where(loud, 0.5 * np.sin(2 * np.pi * 880 * times), 0.0)
    samples = (wave * 32767).astype(np.int16)
    channels = av.AudioLayout(layout).nb_channels
    for first in range(0, len(samples), 1024):
        part = np.repeat(samples[first : first + 1024], channels)
        frame = av.AudioFrame.from_ndarray(part[None], format="s16", layout=layout)
        frame.sample_rate = rate
        frame.pts, frame.time_base = round(start_s * rate) + first, Fraction(1, rate)
        yield frame


def movie_views(source: Path | str, times: Sequence[float], image: Image | None = None) -> list[View]:
    """Return views of a video's frames at the given times."""
    shown = plain(90) if image is None else image
    return [
        make_view(n, source=str(source), time_s=time_s, image=shown, faces=0)
        for n, time_s in enumerate(times)
    ]


def every(seconds: float, until_s: float) -> list[float]:
    """Return times from 0 on at a fixed interval."""
    return [n * seconds for n in range(round(until_s / seconds))]


@dataclass
class Movie:
    """The content of a video; times are seconds since the start of the file, as players show them."""

    format: str
    codec: str
    pixels: str
    size: tuple[int, int]
    times: list[float]
    key_times: list[float]
    images: list[Image]
    duration_s: float
    start_s: float
    colors: tuple[int, int, int, int]
    sound_codec: str | None = None
    sound_rate: int = 0
    channels: int = 0
    sound_start_s: float = 0.0
    sound_s: float = 0.0
    beep_s: float | None = None


def read_movie(path: Path) -> Movie:
    """Read and decode everything in a video."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / av.time_base
        frames = list(container.decode(video=0))
        context = container.streams.video[0].codec_context
        movie = Movie(
            format=container.format.name,
            codec=context.name,
            pixels=frames[0].format.name,
            size=(frames[0].width, frames[0].height),
            times=[float(frame.time) - start_s for frame in frames],
            key_times=[float(frame.time) - start_s for frame in frames if frame.key_frame],
            images=[np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in frames],
            duration_s=(container.duration or 0) / av.time_base,
            start_s=start_s,
            colors=(
                int(context.colorspace),
                int(context.color_primaries),
                int(context.color_trc),
                int(context.color_range),
            ),
        )
    with av.open(str(path)) as container:
        if container.streams.audio:
            _read_sound(container, movie)
    return movie


def _read_sound(container: Any, movie: Movie) -> None:
    track = container.streams.audio[0]
    movie.sound_codec = track.codec_context.codec.canonical_name
    movie.sound_rate, movie.channels = track.codec_context.sample_rate, track.codec_context.channels
    frames = list(container.decode(audio=0))
    if not frames:
        return
    movie.sound_start_s = float(frames[0].time) - movie.start_s
    last = frames[-1]
    movie.sound_s = float(last.time) - movie.start_s + last.samples / last.sample_rate
    for frame in frames:
        loud = np.flatnonzero(_level(frame) > 0.1)
        if len(loud):
            movie.beep_s = float(frame.time) - movie.start_s + float(loud[0]) / frame.sample_rate
            return


def _level(frame: Any) -> NDArray[np.float64]:
    """Return the absolute samples of the first channel, 0…1."""
    samples = frame.to_ndarray()
    channel = samples[0] if frame.format.is_planar else samples[0][:: frame.layout.nb_channels]
    full = np.iinfo(channel.dtype).max if np.issubdtype(channel.dtype, np.integer) else 1.0
    return np.abs(channel.astype(np.float64) / full)
