"""Draw the charts of a report as PNG images, for slides and papers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from fer_edge.rendering.palette import Color, color_of
from fer_edge.rendering.typeface import render_text
from fer_edge.reports.report import Report
from fer_edge.reports.summary import Person, SourceSummary
from fer_edge.reports.timeline import Timeline
from fer_edge.runtime.tables import format_count
from fer_edge.types import Image

__all__ = ["draw_source", "write_charts"]

WIDTH: Final = 1600
_MARGIN: Final = 40
_LEFT: Final = 190  # left edge of the plot
_ALL_HEIGHT: Final = 80
_ROW_HEIGHT: Final = 36
_ROW_GAP: Final = 10
_AXIS_HEIGHT: Final = 60
_MAX_ROWS: Final = 40
_TITLE, _TEXT, _SMALL = 34, 22, 19  # font sizes in pixels

_INK: Final[Color] = (29, 25, 22)
_SOFT: Final[Color] = (96, 87, 79)
_TRACK: Final[Color] = (234, 230, 227)

_STEPS: Final = (
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
    172800, 604800, 1209600, 2592000,
)  # fmt: skip
_MAX_TICKS: Final = 10


def write_charts(report: Report, folder: Path) -> int:
    """Write one PNG file per source to a folder; return the number of files."""
    for number, source in enumerate(report.sources, 1):
        name = re.sub(r"[^\w.-]+", "-", Path(source.name).name, flags=re.ASCII).strip("-.")[:80] or "source"
        _, content = cv2.imencode(".png", draw_source(source))
        (folder / f"{number:03}-{name}.png").write_bytes(content.tobytes())
    return len(report.sources)


def draw_source(source: SourceSummary) -> Image:
    """Draw the timeline of a source, uint8 (height, 1600, 3) BGR on white."""
    people = sorted(source.people.values(), key=lambda person: -person.tally.faces)[:_MAX_ROWS]
    people.sort(key=lambda person: (person.first_s, person.run, person.id))
    top = _MARGIN + 150
    rows = _ALL_HEIGHT + len(people) * (_ROW_HEIGHT + _ROW_GAP)
    image = np.full((top + rows + _AXIS_HEIGHT + _MARGIN, WIDTH, 3), 255, np.uint8)
    _write(image, source.name, _MARGIN, _MARGIN, _TITLE, _INK, WIDTH - 2 * _MARGIN)
    _write(image, _describe(source, len(people)), _MARGIN, _MARGIN + 46, _SMALL, _SOFT, WIDTH - 2 * _MARGIN)
    _draw_legend(image, source, _MARGIN + 92)
    axis = _Axis(source)
    _draw_timeline(image, source, source.timeline, axis, top, _ALL_HEIGHT)
    _write(image, "All faces", _MARGIN, top + 26, _TEXT, _INK, _LEFT - _MARGIN - 10)
    for number, person in enumerate(people):
        place = top + _ALL_HEIGHT + _ROW_GAP + number * (_ROW_HEIGHT + _ROW_GAP)
        cv2.line(image, (_LEFT, place + _ROW_HEIGHT), (WIDTH - _MARGIN, place + _ROW_HEIGHT), _TRACK, 1)
        _draw_timeline(image, source, person.timeline, axis, place, _ROW_HEIGHT)
        _write(image, _name(person, source), _MARGIN, place + 5, _TEXT, _SOFT, _LEFT - _MARGIN - 10)
    for gap in source.gaps.longest():
        if gap.kind != "clock":
            _hatch(image, axis.place(gap.start_s), axis.place(gap.end_s), top, top + rows)
    axis.draw(image, top + rows + 6)
    return image


class _Axis:
    """The time axis: maps times to pixels and draws the ticks."""

    def __init__(self, source: SourceSummary) -> None:
        self._source = source
        self.begin = source.first_s
        beyond = 1.0 if source.kind == "images" else source.gaps.interval_s
        self.span = max(source.last_s + beyond - self.begin, 1e-3)

    def place(self, at: float) -> int:
        """Return the pixel column of a time."""
        return _LEFT + round((at - self.begin) / self.span * (WIDTH - _MARGIN - _LEFT))

    def draw(self, image: Image, top: int) -> None:
        """Draw the axis line with its ticks."""
        cv2.line(image, (_LEFT, top), (WIDTH - _MARGIN, top), _SOFT, 1)
        for at, text in self._ticks():
            x = self.place(at)
            cv2.line(image, (x, top), (x, top + 7), _SOFT, 1)
            width = render_text(text, _SMALL).mask.shape[1]
            left = min(max(_LEFT - 20, x - width // 2), WIDTH - _MARGIN - width)
            _write(image, text, left, top + 11, _SMALL, _SOFT, width)

    def _ticks(self) -> Iterator[tuple[float, str]]:
        source = self._source
        if source.kind == "images":
            step, shift = max(1.0, float(np.ceil(self.span / _MAX_TICKS))), 1.0
        else:
            step = next((each for each in _STEPS if self.span / each <= _MAX_TICKS), self.span)
            shift = source.origin_s + 60 * source.offset_min
        number = int(np.ceil((self.begin + shift) / step))
        first = True
        while number * step - shift <= self.begin + self.span:
            at = number * step - shift
            yield at, self._format(at, step, with_day=first)
            number, first = number + 1, False

    def _format(self, at: float, step: float, *, with_day: bool) -> str:
        source = self._source
        if source.kind == "images":
            return f"{round(at) + 1}"
        if source.kind == "camera":
            zone = timezone(timedelta(minutes=source.offset_min))
            clock = datetime.fromtimestamp(source.origin_s + at + 1e-4, zone)
            day = f"{clock.day} {clock:%b}"
            time = f"{clock:%H:%M:%S}" if step < 60 else f"{clock:%H:%M}"
            if step >= 86400 or time.strip("0:") == "":
                return day
            return f"{day} {time}" if with_day else time
        seconds = source.origin_s + at
        rest = f"{seconds % 60:04.1f}" if step < 1 else f"{round(seconds) % 60:02}"
        minutes = int(round(seconds, 1) // 60)
        return f"{minutes // 60}:{minutes % 60:02}:{rest}" if minutes >= 60 else f"{minutes}:{rest}"


def _draw_timeline(
    image: Image, source: SourceSummary, timeline: Timeline, axis: _Axis, top: int, height: int
) -> None:
    """Draw the mean scores of each bin as a stack, the first label on top.

    A bin without faces is gray.
    """
    colors = [color_of(label, source.labels) for label in source.labels]
    reach = max(timeline.width, 1.6 * source.gaps.interval_s)
    bins = list(timeline.bins())
    for number, (index, _, faces, means) in enumerate(bins):
        begin = index * timeline.width
        end = begin + reach
        if number + 1 < len(bins):
            end = min(end, bins[number + 1][0] * timeline.width)
        left = max(_LEFT, axis.place(begin))
        right = min(WIDTH - _MARGIN, max(left + 1, axis.place(end)))
        if not faces:
            if timeline is source.timeline:
                image[top : top + height, left:right] = _TRACK
            continue
        edges = top + np.rint(height * np.minimum(1.0, np.cumsum([0.0, *means]))).astype(int)
        edges[-1] = top + height
        for color, upper, lower in zip(colors, edges[:-1], edges[1:], strict=True):
            image[upper:lower, left:right] = color


def _draw_legend(image: Image, source: SourceSummary, top: int) -> None:
    """Draw the colors with their labels and shares, the most frequent first."""
    order = sorted(range(len(source.labels)), key=lambda index: -source.tally.emotions[index])
    left = _MARGIN
    for index in order:
        share = source.tally.emotions[index] / max(1, source.tally.faces)
        text = f"{source.labels[index]} {share:.0%}"
        width = render_text(text, _TEXT).mask.shape[1]
        if left + 34 + width > WIDTH - _MARGIN:
            return
        color = color_of(source.labels[index], source.labels)
        cv2.rectangle(image, (left, top), (left + 23, top + 23), color, cv2.FILLED)
        cv2.rectangle(image, (left, top), (left + 23, top + 23), _SOFT, 1)
        _write(image, text, left + 32, top - 2, _TEXT, _INK, width)
        left += 32 + width + 28


def _hatch(image: Image, left: int, right: int, top: int, bottom: int) -> None:
    """Hatch a part without rows."""
    right = min(max(right, left + 3), image.shape[1] - _MARGIN)
    part = image[top:bottom, left:right]
    rows, columns = np.indices(part.shape[:2])
    part[(rows + columns) % 10 < 2] = _SOFT


def _write(image: Image, text: str, left: int, top: int, size: int, color: Color, most: int) -> None:
    """Draw a line of text, cut off at a width of ``most`` pixels."""
    mask = render_text(text.encode("utf-8", "replace").decode(), size).mask[:, :most]
    part = image[top : top + mask.shape[0], left : left + mask.shape[1]]
    weight = mask[: part.shape[0], : part.shape[1], None] / 255
    part[:] = np.rint(part * (1 - weight) + np.array(color) * weight)


def _describe(source: SourceSummary, shown: int) -> str:
    if source.kind == "images":
        return f"{format_count(source.frames, 'image')}, {format_count(source.tally.faces, 'face')}"
    people = len(source.people) + source.further_people
    texts = [
        format_count(source.frames, "frame"),
        "1 person" if people == 1 else f"{people:,} people",
        f"certainty {source.tally.mean_score:.0%}",
        f"each column is the mean of {source.timeline.width:g} s or less",
    ]
    if shown < people:
        texts.insert(2, f"{shown} of them shown")
    return ", ".join(texts)


def _name(person: Person, source: SourceSummary) -> str:
    return f"Face {person.id}" + (f" (run {person.run + 1})" if source.run else "")
