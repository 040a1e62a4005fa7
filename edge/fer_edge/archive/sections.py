"""Split long videos into sections.

Several workers can then share a video, and a lost worker costs only one section.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fer_edge.archive.options import LEAD_S, AnalysisOptions
from fer_edge.sources.base import Span
from fer_edge.sources.object_store import is_object_url
from fer_edge.sources.urls import is_url
from fer_edge.sources.video_container import open_video
from fer_edge.sources.video_facts import VideoFacts

__all__ = ["Section", "cut", "plan_sections"]

_SLACK: Final = 0.25  # the last section may be longer by this share of a section
_AFTER_KEY_S: Final = 0.5  # a key frame may be presented this much later than it is decoded
_MAX_UNINDEXED: Final = 12  # without an index, each section reads the video from its start
_INDEXED: Final = "mov"  # prefix of FFmpeg's name for .mp4, .mov and related formats


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a video; all times are in seconds on its clock.

    It is read from ``read_s`` on; its rows start at ``begin_s`` and end before ``end_s``.
    """

    number: int
    read_s: float
    begin_s: float
    end_s: float | None

    @property
    def span(self) -> Span:
        """The part of the video to read."""
        return Span(self.read_s, self.end_s)

    @property
    def name(self) -> str:
        """The file name, which is unique to these bounds."""
        end = "end" if self.end_s is None else f"{self.end_s:.3f}"
        return f"{self.number:05d}-{self.begin_s:.3f}-{end}.parquet"


def plan_sections(address: str, options: AnalysisOptions) -> tuple[Section, ...]:
    """Split a video into sections.

    A short video, a stream or a video of unknown length is a single section. Raises SourceError.
    """
    whole = (Section(0, options.span.start_s, options.span.start_s, options.span.end_s),)
    if not options.section_s or (is_url(address) and not is_object_url(address)):
        return whole
    video = open_video(address)
    try:
        facts = VideoFacts.from_container(video.container, video.stream)
        ends = [end_s for end_s in (facts.end_s, options.span.end_s) if end_s is not None]
        if video.pipe is not None or facts.end_s is None or not facts.has_timestamps:
            return whole
        keys = _list_key_frames(video.container, video.stream, facts.start_s or 0.0)
        return cut(options, min(ends), keys) or whole
    finally:
        video.free()


def cut(options: AnalysisOptions, end_s: float, keys: Sequence[float] | None) -> tuple[Section, ...]:
    """Split the time from the start of the span to ``end_s``.

    Returns () if it is too short to split. ``keys`` are the times of the key frames in ascending order; if they are
    unknown (None), there are at most 12 sections. A section is read from a key frame on, and its rows start three
    seconds later.
    """
    start_s = options.span.start_s
    count = math.ceil((end_s - start_s) / options.section_s - _SLACK)
    if keys is None:
        count = min(count, _MAX_UNINDEXED)
    if count < 2:
        return ()
    length_s = options.section_s if keys is not None else (end_s - start_s) / count
    reads, begins = [start_s], [start_s]
    for number in range(1, count):
        read_s = _find_key(keys or (), start_s + number * length_s - LEAD_S, begins[-1])
        begin_s = read_s + LEAD_S
        if options.every:  # no averaging interval may cross a section border
            begin_s = math.ceil(begin_s / options.every) * options.every
        reads.append(round(read_s, 3))
        begins.append(round(begin_s, 3))
    ends = [*begins[1:], options.span.end_s]
    return tuple(
        Section(number, *bounds) for number, bounds in enumerate(zip(reads, begins, ends, strict=True))
    )


def _find_key(keys: Sequence[float], wanted_s: float, after_s: float) -> float:
    """Return the time just after the last key frame before ``wanted_s``.

    Returns ``wanted_s`` itself if that key frame is not later than ``after_s``.
    """
    place = bisect_right(keys, wanted_s - _AFTER_KEY_S) - 1
    if place >= 0 and keys[place] > after_s:
        return keys[place] + _AFTER_KEY_S
    return wanted_s


def _list_key_frames(container: Any, stream: Any, start_s: float) -> list[float] | None:
    """Return the decoding times of the key frames.

    Returns None if the video has no complete index.
    """
    entries = stream.index_entries
    if not container.format.name.startswith(_INDEXED) or not stream.frames or len(entries) < stream.frames:
        return None
    times = (float(entry.timestamp * stream.time_base) - start_s for entry in entries if entry.is_keyframe)
    return sorted(times)
