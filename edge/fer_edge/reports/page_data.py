"""The data of a report in the form that the script of the page reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from fer_edge._version import __version__
from fer_edge.rendering.palette import Color, choose_text_color, color_of
from fer_edge.reports.report import Report
from fer_edge.reports.summary import ImageRow, Person, SourceSummary
from fer_edge.reports.timeline import Timeline

__all__ = ["LabelSet", "PageData", "PersonData", "SourceData", "TimelineData", "build_page_data"]

_THOUSAND: Final = 1000
_MAX_TEXT_LENGTH: Final = 2000  # characters of a message


class LabelSet(TypedDict):
    """A model's labels with their colors and text colors, both as CSS colors."""

    labels: list[str]
    colors: list[str]
    inks: list[str]


class TimelineData(TypedDict):
    """A timeline; ``bins`` is a string of integers separated by commas.

    For each bin, they are its index, frames, faces and, if it has faces, the mean score of each label in thousandths.
    A string takes a tenth of the memory of a list of numbers.
    """

    width: float
    bins: str


class PersonData(TypedDict):
    """A tracked face; ``emotions`` counts its frames by the most probable emotion."""

    id: int
    run: int
    first: float
    last: float
    faces: int
    emotions: list[int]
    score: float
    timeline: TimelineData


class SourceData(TypedDict):
    """The data of one source.

    Times are in seconds from ``origin``; ``set`` is the index of its label set.
    """

    name: str
    kind: str
    file: str
    set: int
    origin: float
    offset: int
    first: float
    last: float
    interval: float
    frames: int
    withFaces: int
    faces: int
    emotions: list[int]
    score: float
    certainty: list[int]
    timeline: TimelineData
    people: list[PersonData]
    furtherPeople: int
    images: list[list[Any]]
    gapCount: int
    gapSeconds: float
    gaps: list[list[Any]]
    errors: list[str]


class PageData(TypedDict):
    """The data of the whole page."""

    version: str
    created: str
    sets: list[LabelSet]
    sources: list[SourceData]
    furtherSources: int
    problems: list[str]
    errors: list[list[str]]
    errorCount: int


def build_page_data(report: Report) -> PageData:
    """Convert a report to data that can be written as JSON."""
    sets: dict[tuple[str, ...], int] = {}
    for source in report.sources:
        sets.setdefault(source.labels, len(sets))
    return {
        "version": __version__,
        "created": datetime.now().astimezone().isoformat(timespec="minutes"),
        "sets": [_build_labels(labels) for labels in sets],
        "sources": [_build_source(source, sets) for source in report.sources],
        "furtherSources": report.further_sources,
        "problems": [problem[:_MAX_TEXT_LENGTH] for problem in report.problems],
        "errors": [[error.source, error.error[:_MAX_TEXT_LENGTH]] for error in report.errors],
        "errorCount": report.error_count,
    }


def _build_labels(labels: tuple[str, ...]) -> LabelSet:
    colors = [color_of(label, labels) for label in labels]
    return {
        "labels": list(labels),
        "colors": [_format_color(color) for color in colors],
        "inks": [_format_color(choose_text_color(color)) for color in colors],
    }


def _build_source(source: SourceSummary, sets: Mapping[tuple[str, ...], int]) -> SourceData:
    people = sorted(source.people.values(), key=lambda person: (person.first_s, person.run, person.id))
    gaps = source.gaps
    return {
        "name": source.name,
        "kind": source.kind,
        "file": source.file,
        "set": sets[source.labels],
        "origin": round(source.origin_s, 3),
        "offset": source.offset_min,
        "first": round(source.first_s, 3),
        "last": round(source.last_s, 3),
        "interval": round(gaps.interval_s, 4),
        "frames": source.frames,
        "withFaces": source.frames_with_faces,
        "faces": source.tally.faces,
        "emotions": source.tally.emotions,
        "score": round(source.tally.mean_score, 3),
        "certainty": source.tally.certainty,
        "timeline": _build_timeline(source.timeline),
        "people": [_build_person(person) for person in people],
        "furtherPeople": source.further_people,
        "images": [_build_image(image) for image in source.images],
        "gapCount": gaps.count,
        "gapSeconds": round(gaps.total_s, 3),
        "gaps": [[round(gap.start_s, 3), round(gap.end_s, 3), gap.kind] for gap in gaps.longest()],
        "errors": [error.error[:_MAX_TEXT_LENGTH] for error in source.errors],
    }


def _build_person(person: Person) -> PersonData:
    return {
        "id": person.id,
        "run": person.run,
        "first": round(person.first_s, 3),
        "last": round(person.last_s, 3),
        "faces": person.tally.faces,
        "emotions": person.tally.emotions,
        "score": round(person.tally.mean_score, 3),
        "timeline": _build_timeline(person.timeline),
    }


def _build_image(image: ImageRow) -> list[Any]:
    return [image.name, image.faces, [[emotion, round(score, 3)] for emotion, score in image.shown]]


def _build_timeline(timeline: Timeline) -> TimelineData:
    return {"width": timeline.width, "bins": ",".join(map(str, _flatten(timeline)))}


def _flatten(timeline: Timeline) -> Iterator[int]:
    for index, frames, faces, means in timeline.bins():
        yield from (index, frames, faces)
        if faces:
            yield from (round(_THOUSAND * mean) for mean in means)


def _format_color(color: Color) -> str:
    blue, green, red = color
    return f"#{red:02x}{green:02x}{blue:02x}"
