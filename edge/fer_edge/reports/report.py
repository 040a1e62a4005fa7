"""All sources of some results files, in memory that grows neither with their rows nor with their number."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from fer_edge.reports.readers.base import ErrorRow, FrameRow
from fer_edge.reports.summary import Limits, SourceKind, SourceSummary

__all__ = ["MOST_BINS", "MOST_SOURCES", "Report"]

MOST_BINS: Final = 80_000
"""Bins of all timelines together, about: 35 bytes each in the page, 300 in memory."""

MOST_SOURCES: Final = 2000
"""Sources that are kept; further ones are only counted."""

_FEWEST_BINS: Final = 16  # of a timeline
_MOST_PEOPLE: Final = 6000
_FEWEST_PEOPLE: Final = 5  # of a source
_MOST_ERRORS: Final = 1000
_LOOK_EVERY: Final = 1024  # rows

_Key = tuple[SourceKind, str]


class Report:
    """What happened, gathered row by row.

    ``problems`` are what could not be read of the files, a line each; ``errors`` are the first thousand of
    ``error_count`` inputs that the runs themselves could not read. ``further_sources`` were too many to be kept.
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
        """Count the rows of a file."""
        for row in rows:
            if isinstance(row, ErrorRow):
                self.error_count += 1
                if len(self.errors) < _MOST_ERRORS:
                    self.errors.append(row)
                continue
            source = self._find_source(row, file)
            if source is None:
                continue
            source.add(row, self._limits)
            self._rows += 1
            if self._rows % _LOOK_EVERY == 0:
                self._keep_small()

    def finish(self) -> None:
        """Give each error to its source, where that is there, and keep the page small."""
        for found in self.sources:
            found.widen_bins()
        self._keep_small()
        by_name = {source.name: source for source in reversed(self.sources)}
        rest: list[ErrorRow] = []
        for error in self.errors:
            source = by_name.get(error.source) or by_name.get(_folder_of(error.source))
            (rest if source is None else source.errors).append(error)
        self.errors = rest
        self._tell_other_labels()

    def _tell_other_labels(self) -> None:
        """Say which files hold another model's results: the sums of all sources are of one model's labels."""
        with_labels = [source for source in self.sources if source.labels]
        told: dict[tuple[str, tuple[str, ...]], None] = {}
        for source in with_labels:
            if source.labels != with_labels[0].labels:
                told.setdefault((source.file, source.labels))
        for file, labels in told:
            shown = ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")
            self.problems.append(
                f"{file}: other labels ({shown}) than in {with_labels[0].file}; its sources are shown apart, give each "
                "model's results their own report"
            )

    def _find_source(self, row: FrameRow, file: str) -> SourceSummary | None:
        """The source that a row belongs to, made where it is new; None where there are too many."""
        key = _classify(row)
        current = self._current.get(key)
        if current is not None:
            if current.file != file and current.kind != "camera":
                current = self._begin(key, file)  # another run, perhaps with another model
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
        """The part of a source that has other labels, another model's."""
        for source in self.sources:
            if (source.kind, source.name, source.labels) == (*key, labels):
                self._current[key] = source
                return source
        return self._begin(key, file)

    def _keep_small(self) -> None:
        if self._limits.people > _MOST_PEOPLE:
            for source in self.sources:
                source.most_people = max(_FEWEST_PEOPLE, source.most_people // 2)
                self._limits.people -= source.forget_people()
        timelines = [timeline for source in self.sources for timeline in source.timelines()]
        while sum(map(len, timelines)) > MOST_BINS and self._limits.bins > _FEWEST_BINS:
            self._limits.bins //= 2
            for timeline in timelines:
                timeline.limit(min(timeline.most, self._limits.bins))


def _classify(row: FrameRow) -> _Key:
    """Camera where there is a wall clock, video where there is a time, otherwise an image of a folder."""
    if row.clock is not None:
        return "camera", row.source
    if row.time_s is not None:
        return "video", row.source
    return "images", _folder_of(row.source)


def _folder_of(image: str) -> str:
    return str(PurePath(image).parent)
