"""Where a long video is cut, so that several workers share it and a lost worker costs a part of it."""

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

_SLACK: Final = 0.25  # of a section, by which the last one may be longer
_AFTER_KEY_S: Final = 0.5  # a key frame is shown up to so much later than it is decoded
_MOST_UNINDEXED: Final = 12  # each of them reads what lies before it
_INDEXED: Final = "mov"  # FFmpeg's name of .mp4, .mov and their kin begins so


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a video, in seconds of its clock: rows from ``begin_s`` to before ``end_s``, read from ``read_s``."""

    number: int
    read_s: float
    begin_s: float
    end_s: float | None

    @property
    def span(self) -> Span:
        """What is read of the video."""
        return Span(self.read_s, self.end_s)

    @property
    def name(self) -> str:
        """Its name, which other bounds would change."""
        end = "end" if self.end_s is None else f"{self.end_s:.3f}"
        return f"{self.number:05d}-{self.begin_s:.3f}-{end}.parquet"


def plan_sections(address: str, options: AnalysisOptions) -> tuple[Section, ...]:
    """Cut a video into sections; one where it is short, a stream, or of unknown length. Raises SourceError."""
    whole = (Section(0, options.span.start_s, options.span.start_s, options.span.end_s),)
    if not options.section_s or (is_url(address) and not is_object_url(address)):
        return whole
    video = open_video(address)
    try:
        facts = VideoFacts.of(video.container, video.stream)
        ends = [end_s for end_s in (facts.end_s, options.span.end_s) if end_s is not None]
        if video.pipe is not None or facts.end_s is None or not facts.stamped:
            return whole
        keys = _list_key_frames(video.container, video.stream, facts.start_s or 0.0)
        return cut(options, min(ends), keys) or whole
    finally:
        video.free()


def cut(options: AnalysisOptions, end_s: float, keys: Sequence[float] | None) -> tuple[Section, ...]:
    """Cut the time from the span's start to ``end_s``; () where it is too short to be cut.

    ``keys`` are the times of the key frames in ascending order; None where they are not known: then there are few
    sections. A section is read from a key frame on, and its rows begin three seconds later.
    """
    start_s = options.span.start_s
    count = math.ceil((end_s - start_s) / options.section_s - _SLACK)
    if keys is None:
        count = min(count, _MOST_UNINDEXED)
    if count < 2:
        return ()
    length_s = options.section_s if keys is not None else (end_s - start_s) / count
    reads, begins = [start_s], [start_s]
    for number in range(1, count):
        read_s = _find_key(keys or (), start_s + number * length_s - LEAD_S, begins[-1])
        begin_s = read_s + LEAD_S
        if options.every:  # no span of averages may lie in two sections
            begin_s = math.ceil(begin_s / options.every) * options.every
        reads.append(round(read_s, 3))
        begins.append(round(begin_s, 3))
    ends = [*begins[1:], options.span.end_s]
    return tuple(
        Section(number, *bounds) for number, bounds in enumerate(zip(reads, begins, ends, strict=True))
    )


def _find_key(keys: Sequence[float], wanted_s: float, after_s: float) -> float:
    """The time just after the last key frame before ``wanted_s``, if it lies after ``after_s``."""
    place = bisect_right(keys, wanted_s - _AFTER_KEY_S) - 1
    if place >= 0 and keys[place] > after_s:
        return keys[place] + _AFTER_KEY_S
    return wanted_s


def _list_key_frames(container: Any, stream: Any, start_s: float) -> list[float] | None:
    """When the key frames of an indexed video are decoded; None where it has no index of all of it."""
    entries = stream.index_entries
    if not container.format.name.startswith(_INDEXED) or not stream.frames or len(entries) < stream.frames:
        return None
    times = (float(entry.timestamp * stream.time_base) - start_s for entry in entries if entry.is_keyframe)
    return sorted(times)
