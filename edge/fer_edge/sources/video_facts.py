"""Facts that a container states about its video; each is None if unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Self

import av

from fer_edge.sources.video_container import UNKNOWN_RATE

__all__ = ["ASSUMED_RATE", "VideoFacts", "sanitize_frame_rate"]

ASSUMED_RATE: Final = 25.0  # frames per second, if the stream states none
_MAX_RATE: Final = 1000.0  # frames per second; higher values are not frame rates
_MAX_FRAMES: Final = 1_000_000_000  # higher counts come from damaged headers


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Facts about an open video.

    ``rate`` is in frames per second. ``start_s`` is the start time on the container's clock and ``end_s`` the
    stated end of the video stream relative to it, both in seconds. ``has_timestamps`` means that frames have
    timestamps, ``has_only_packet_timestamps`` that only their packets do. ``clock_may_restart`` means that the clock
    may restart in the middle. ``pixel_shape`` is the pixel aspect ratio (width to height) for frames of ``size``
    (width, height).
    """

    rate: float | None
    start_s: float | None
    end_s: float | None
    has_timestamps: bool
    has_only_packet_timestamps: bool
    clock_may_restart: bool
    pixel_shape: Fraction | None
    size: tuple[int, int]

    @classmethod
    def from_container(cls, container: Any, stream: Any) -> Self:
        """Collect the facts from a container and its video stream."""
        flags = container.format.flags
        has_timestamps = not flags & av.format.Flags.no_timestamps.value
        rate = _choose_rate(container, stream, has_timestamps=has_timestamps)
        start = container.start_time
        end_s = _find_end(container, stream)
        return cls(
            rate=rate,
            start_s=None if start is None else start / av.time_base,
            end_s=end_s,
            has_timestamps=has_timestamps and not (rate is None and _is_unknown(stream.average_rate)),
            has_only_packet_timestamps=container.format.name == "avi",
            clock_may_restart=bool(flags & av.format.Flags.ts_discont.value),
            pixel_shape=stream.sample_aspect_ratio,
            size=(stream.codec_context.width, stream.codec_context.height),
        )

    def count_frames(self, start_s: float = 0.0, end_s: float | None = None) -> int | None:
        """Estimate the number of frames between two times after the start.

        Returns None if it is unknown.
        """
        ends = [end for end in (self.end_s, end_s) if end is not None]
        count = (min(ends, default=0.0) - start_s) * (self.rate or 0.0)
        return round(count) if 0 < count < _MAX_FRAMES else None


def sanitize_frame_rate(rate: float) -> float | None:
    """Return a stated frame rate, or None for 0, NaN and implausible values."""
    return float(rate) if math.isfinite(rate) and 0 < rate < _MAX_RATE else None


def _choose_rate(container: Any, stream: Any, *, has_timestamps: bool) -> float | None:
    """Return the frame rate of the stream.

    This is usually the average rate. For a raw stream it is the codec's rate, for .avi the one that its times count.
    """
    rates = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    if not has_timestamps:
        rates = [stream.codec_context.framerate]
    elif container.format.name == "avi":
        rates.insert(0, stream.guessed_rate)
    for rate in rates:
        if _is_unknown(rate):
            return None
        known = sanitize_frame_rate(float(rate)) if rate else None
        if known is not None:
            return known
    return None


def _is_unknown(rate: Fraction | None) -> bool:
    """Return whether a rate is the one that FFmpeg assumes if it is unknown."""
    return rate is not None and abs(float(rate) - float(UNKNOWN_RATE)) < 1e-4


def _find_end(container: Any, stream: Any) -> float | None:
    start = container.start_time or 0
    if container.format.name == "avi" and stream.frames > 0:
        return float(
            stream.frames * stream.time_base
        )  # FFmpeg limits the duration to the frames that are present
    if stream.duration and stream.duration > 0:
        begins = (stream.start_time or 0) * stream.time_base - Fraction(start, av.time_base)
        return float(begins + stream.duration * stream.time_base)
    text = stream.metadata.get("DURATION")  # Matroska states it per stream
    stated = None if text is None else _parse_duration(text)
    if stated is None and container.duration and len(container.streams) == 1:
        stated = container.duration / av.time_base
    if stated is not None and "matroska" in container.format.name:
        stated -= start / av.time_base  # Matroska counts from zero on the clock, not from the start time
    return stated


def _parse_duration(text: str) -> float | None:
    """Convert hh:mm:ss.fraction to seconds; return None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None
