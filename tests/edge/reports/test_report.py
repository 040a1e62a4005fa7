"""Report totals: sources, people, gaps, and constant memory."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fer_edge.rendering.view import View
from fer_edge.reports.files import open_results, read_file
from fer_edge.reports.readers.base import FaceRow, FrameRow
from fer_edge.reports.report import MOST_BINS, MOST_SOURCES, Report
from fer_edge.types import SkippedInput
from tests.edge.reports.rows import LABELS, make_clip, make_face, make_frame, write_rows

ZONE = timezone(timedelta(hours=1))
START = datetime(2026, 11, 26, 9, tzinfo=ZONE)


def gather(*paths: Path) -> Report:
    report = Report()
    for file in open_results(paths, report.problems):
        report.add(read_file(file, report.problems), file.name)
    report.finish()
    return report


def make_camera(begin: datetime, seconds: int, *, first_frame: int = 0, number: int = 0) -> list[View]:
    return [
        make_frame(
            first_frame + second,
            [make_face(number)],
            source="camera 0",
            time_s=float(first_frame + second),
            clock=begin + timedelta(seconds=second),
        )
        for second in range(seconds)
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_video_with_people(tmp_path: Path, suffix: str) -> None:
    views = [
        make_frame(
            index,
            [make_face(7, "happy")] * (index < 30) + [make_face(8, "sad")] * (index >= 10),
            time_s=index / 10,
        )
        for index in range(40)
    ]
    (source,) = gather(write_rows(tmp_path / f"rows.{suffix}", views)).sources
    assert (source.name, source.kind, source.frames, source.frames_with_faces) == (
        "clip.mp4",
        "video",
        40,
        40,
    )
    seven, eight = source.people.values()
    assert (seven.id, seven.first_s, seven.last_s) == (7, 0, 2.9)
    assert (eight.id, eight.first_s, eight.last_s) == (8, 1, 3.9)
    assert dict(zip(source.labels, source.tally.emotions, strict=True))["happy"] == 30
    assert source.tally.mean_score == pytest.approx(0.7)
    assert source.tally.certainty[7] == 60
    assert source.gaps.count == 0


def test_frames_before_the_first_face_count(tmp_path: Path) -> None:
    views = [make_frame(index, time_s=index / 10) for index in range(10)] + [
        make_frame(10, [make_face()], time_s=1.0)
    ]
    (source,) = gather(write_rows(tmp_path / "rows.jsonl", views)).sources
    assert (source.frames, source.frames_with_faces, source.labels) == (11, 1, LABELS)


def test_a_camera_s_files_are_one_timeline_in_the_order_of_its_clock(tmp_path: Path) -> None:
    # By file name, these would be read in the reverse order.
    later = write_rows(tmp_path / "a.jsonl", make_camera(START + timedelta(hours=1), 60, first_frame=60))
    early = write_rows(tmp_path / "b.csv", make_camera(START, 60))
    report = gather(later, early)
    (source,) = report.sources
    assert report.problems == []
    assert (source.kind, source.frames, source.offset_min) == ("camera", 120, 60)
    assert source.origin_s == START.timestamp()
    assert source.last_s == 3659
    assert [(gap.start_s, gap.end_s, gap.kind) for gap in source.gaps.longest()] == [(59, 3600, "gap")]
    assert len(source.people) == 1


def test_a_run_that_begins_again_gives_its_ids_to_others(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "rows.jsonl", [*make_camera(START, 30), *make_camera(START + timedelta(seconds=90), 30)]
    )
    (source,) = gather(path).sources
    assert [(person.id, person.run) for person in source.people.values()] == [(0, 0), (0, 1)]
    assert [gap.kind for gap in source.gaps.longest()] == ["restart"]


def test_the_images_of_a_folder_are_one_source(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "rows.jsonl",
        [
            make_frame(0, [make_face(), make_face(1)], source="photos/a.jpg"),
            SkippedInput("photos/b.jpg", "photos/b.jpg: damaged file"),
            make_frame(0, source="photos/c.jpg"),
            make_frame(0, [make_face(2)], source="others/d.jpg"),
        ],
    )
    report = gather(path)
    photos, others = report.sources
    assert (photos.name, photos.kind, photos.frames, others.name) == ("photos", "images", 2, "others")
    assert [(image.name, image.faces) for image in photos.images] == [
        ("photos/a.jpg", 2),
        ("photos/c.jpg", 0),
    ]
    assert [error.source for error in photos.errors] == ["photos/b.jpg"]
    assert not photos.people
    assert report.errors == []


def test_an_error_of_a_source_that_gave_nothing_is_the_report_s(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "rows.jsonl", [*make_clip(1), SkippedInput("b.mp4", "b.mp4: cannot open video")]
    )
    report = gather(path)
    assert [(error.source, error.error) for error in report.errors] == [("b.mp4", "b.mp4: cannot open video")]


def test_one_video_in_two_files_is_two_sources(tmp_path: Path) -> None:
    one = write_rows(tmp_path / "one.jsonl", make_clip(1))
    other = write_rows(tmp_path / "other.jsonl", make_clip(1, emotion="sad"))
    assert [source.file for source in gather(one, other).sources] == [str(one), str(other)]


def test_two_files_of_one_run_are_counted_once(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", make_clip(1))
    write_rows(tmp_path / "rows.csv", make_clip(1))
    report = gather(tmp_path)
    assert len(report.sources) == 1
    (problem,) = report.problems
    assert "has the same rows as" in problem


def test_other_labels_are_a_source_of_their_own_and_told(tmp_path: Path) -> None:
    other = ("smile", "other")
    faces = [
        make_frame(index, [make_face(9, "smile", 0.9, other)], time_s=4 + index / 10) for index in range(10)
    ]
    path = write_rows(tmp_path / "rows.jsonl", [*make_clip(), *faces])
    report = gather(path)
    assert [source.labels for source in report.sources] == [LABELS, other]
    (problem,) = report.problems
    assert "its labels (smile, other) differ" in problem


def test_a_file_of_another_model_is_told(tmp_path: Path) -> None:
    other = ("smile", "other")
    clip = [make_frame(0, [make_face(9, "smile", 0.9, other)], source="b.mp4", time_s=0.0)]
    report = gather(
        write_rows(tmp_path / "a.jsonl", make_clip()), write_rows(tmp_path / "b.csv", clip, other)
    )
    assert len(report.sources) == 2
    (problem,) = report.problems
    assert problem.startswith(
        f"{tmp_path / 'b.csv'}: its labels (smile, other) differ from those in {tmp_path / 'a.jsonl'}; "
    )


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_an_empty_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    report = gather(tmp_path / name, write_rows(tmp_path / "good.jsonl", make_clip(1)))
    assert len(report.sources) == 1
    assert report.problems == [
        f"{tmp_path / name}: no rows; leave the file out, or check whether its run failed"
    ]


def test_folders_are_searched_and_hidden_files_left_alone(tmp_path: Path) -> None:
    write_rows(tmp_path / "2026/11/rows-26.jsonl", make_clip(1, source="a.mp4"))
    write_rows(tmp_path / "2026/12/rows-01.csv", make_clip(1, source="b.mp4"))
    write_rows(tmp_path / ".hidden/rows.csv", make_clip(1, source="c.mp4"))
    (tmp_path / "rows.csv.state.json").write_text("{}")
    report = gather(tmp_path)
    assert [source.name for source in report.sources] == ["a.mp4", "b.mp4"]
    assert report.problems == []


def make_long(frames: int, per_person: int) -> list[FrameRow]:
    face = FaceRow(0, (0, 0, 9, 9), None, "happy", 0.5, (0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0))
    return [
        FrameRow("long.mp4", index, index / 10, None, LABELS, (face._replace(id=index // per_person),))
        for index in range(frames)
    ]


def test_bins_and_people_stay_few_however_long_it_is() -> None:
    report = Report()
    report.add(make_long(40_000, 10), "rows.jsonl")  # 4,000 people
    report.finish()
    (source,) = report.sources
    assert len(source.people) <= 350
    assert len(source.people) + source.further_people == 4000
    assert source.tally.faces == source.frames == 40_000
    assert sum(map(len, source.timelines())) <= MOST_BINS


def test_many_sources_share_the_bins_and_the_last_ones_are_counted() -> None:
    report = Report()
    rows = make_long(60, 60)
    for number in range(MOST_SOURCES + 50):
        report.add([row._replace(source=f"{number}.mp4") for row in rows], "rows.jsonl")
    report.finish()
    assert len(report.sources) == MOST_SOURCES
    assert report.further_sources == 50
    assert sum(len(timeline) for source in report.sources for timeline in source.timelines()) <= MOST_BINS
