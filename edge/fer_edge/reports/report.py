"""Summaries of all sources in results files.

Memory use is bounded: it does not grow with the number of rows or sources.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from fer_edge.reports.readers.base import ErrorRow, FrameRow
from fer_edge.reports.summary import Limits, SourceKind, SourceSummary

__all__ = ["MOST_BINS", "MOST_SOURCES", "Report"]

MOST_BINS: Final = 80_000
"""The approximate limit on the bins of all timelines; a bin takes 35 bytes in the page, 300 in memory."""

MOST_SOURCES: Final = 2000
"""The number of sources kept; further sources are only counted."""

_MIN_BINS: Final = 16  # per timeline
_MAX_PEOPLE: Final = 6000
_MIN_PEOPLE: Final = 5  # per source
_MAX_ERRORS: Final = 1000
_CHECK_EVERY: Final = 1024  # rows between two checks of the limits

_Key = tuple[SourceKind, str]


class Report:
    """The data of a report, collected row by row.

    ``problems`` has a line for each part of the files that could not be read. ``errors`` are the first 1000 of
    ``error_count`` inputs that the runs could not read. ``further_sources`` is the number of sources left out.
    """

    def __init__(self) -> None:
        self.sources: list[SourceSummary] = []
        self.problems: list[str] = []
        self.errors: list[ErrorRow] = []
        self.error_count = 0
        self.further_sources = 0
        self._current: dict[_Key, SourceSummary] = {}
        self._limits = Limits()
        self._rows = 0
        self._last_further = ""

    def add(self, rows: Iterable[FrameRow | ErrorRow], file: str) -> None:
        """Add the rows of a file."""
        for row in rows:
            if isinstance(row, ErrorRow):
                self.error_count += 1
                if len(self.errors) < _MAX_ERRORS:
                    self.errors.append(row)
                continue
            source = self._find_source(row, file)
            if source is None:
                continue
            source.add(row, self._limits)
            self._rows += 1
            if self._rows % _CHECK_EVERY == 0:
                self._enforce_limits()

    def finish(self) -> None:
        """Assign errors to their sources and reduce the data to the limits."""
        for found in self.sources:
            found.widen_bins()
        self._enforce_limits()
        by_name = {source.name: source for source in reversed(self.sources)}
        rest: list[ErrorRow] = []
        for error in self.errors:
            source = by_name.get(error.source) or by_name.get(_folder_of(error.source))
            (rest if source is None else source.errors).append(error)
        self.errors = rest
        self._report_other_labels()

    def _report_other_labels(self) -> None:
        """Add a problem for each file with the labels of another model.

        Totals over all sources use the labels of a single model.
        """
        with_labels = [source for source in self.sources if source.labels]
        others: dict[tuple[str, tuple[str, ...]], None] = {}
        for source in with_labels:
            if source.labels != with_labels[0].labels:
                others.setdefault((source.file, source.labels))
        for file, labels in others:
            shown = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
            self.problems.append(
                f"{file}: its labels ({shown}) differ from those in {with_labels[0].file}; its sources are shown "
                "separately, create one report per model"
            )

    def _find_source(self, row: FrameRow, file: str) -> SourceSummary | None:
        """Return the source of a row, created if it is new.

        Returns None if there are too many sources.
        """
        key = _classify(row)
        current = self._current.get(key)
        if current is not None:
            if current.file != file and current.kind != "camera":
                current = self._begin(key, file)  # a different run, possibly with a different model
            elif row.labels and current.labels and row.labels != current.labels:
                current = self._change_labels(key, row.labels, file)
            return current
        if len(self.sources) < MOST_SOURCES:
            return self._begin(key, file)
        if self._last_further != key[1]:
            self.further_sources += 1
            self._last_further = key[1]
        return None

    def _begin(self, key: _Key, file: str) -> SourceSummary:
        kind, name = key
        source = self._current[key] = SourceSummary(name, kind, file)
        source.timeline.limit(self._limits.bins)
        if kind == "images":
            source.timeline.width = 1.0
        self.sources.append(source)
        return source

    def _change_labels(self, key: _Key, labels: tuple[str, ...], file: str) -> SourceSummary:
        """Return the part of a source with the labels of a different model."""
        for source in self.sources:
            if (source.kind, source.name, source.labels) == (*key, labels):
                self._current[key] = source
                return source
        return self._begin(key, file)

    def _enforce_limits(self) -> None:
        if self._limits.people > _MAX_PEOPLE:
            for source in self.sources:
                source.most_people = max(_MIN_PEOPLE, source.most_people // 2)
                self._limits.people -= source.forget_people()
        timelines = [timeline for source in self.sources for timeline in source.timelines()]
        while sum(map(len, timelines)) > MOST_BINS and self._limits.bins > _MIN_BINS:
            self._limits.bins //= 2
            for timeline in timelines:
                timeline.limit(min(timeline.most, self._limits.bins))


def _classify(row: FrameRow) -> _Key:
    """Return the kind and name of a row's source.

    A row with a wall clock is from a camera, one with only a time from a video, any other from a folder of images.
    """
    if row.clock is not None:
        return "camera", row.source
    if row.time_s is not None:
        return "video", row.source
    return "images", _folder_of(row.source)


def _folder_of(image: str) -> str:
    return str(PurePath(image).parent)
