"""Reading results: all formats give the same rows, and damage is reported."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from fer_edge import read_results
from fer_edge.errors import MissingExtraError, SourceError
from fer_edge.reports.readers.base import ErrorRow, FaceRow, FrameRow, Item, Problem
from fer_edge.reports.readers.registry import READERS
from fer_edge.types import SkippedInput
from tests.edge.reports.rows import LABELS, make_clip, make_face, make_frame, write_rows

FORMATS = pytest.mark.parametrize("suffix", ["jsonl", "csv"])
CLOCK = datetime(2026, 11, 26, 9, 5, 7, 250_000, timezone(timedelta(hours=1)))


def read(path: Path) -> list[Item]:
    return list(READERS.load(path.suffix.removeprefix("."))(path))


@FORMATS
def test_rows_are_what_was_written(tmp_path: Path, suffix: str) -> None:
    views = [
        make_frame(0, time_s=0.0, clock=CLOCK),
        make_frame(1, [make_face(3, "sad", 0.4), make_face(4)], time_s=0.1, clock=CLOCK),
        make_frame(0, [make_face(5)], source='a, "b"\nc.jpg'),
    ]
    empty, two, image = read(write_rows(tmp_path / f"rows.{suffix}", views))
    assert empty == FrameRow("clip.mp4", 0, 0.0, CLOCK, LABELS if suffix == "csv" else (), ())
    assert isinstance(two, FrameRow)
    assert [face.id for face in two.faces] == [3, 4]
    assert two.faces[0] == FaceRow(3, (1, 2, 3, 4), 0.9, "sad", 0.4, (0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1))
    assert isinstance(image, FrameRow)
    assert (image.source, image.time_s, image.clock) == ('a, "b"\nc.jpg', None, None)


def test_an_error_row_is_told(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [SkippedInput("a.jpg", "a.jpg: damaged file")])
    assert read(path) == [ErrorRow("a.jpg", "a.jpg: damaged file")]


@FORMATS
@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_half_a_row_at_the_end_is_told_and_the_others_are_read(tmp_path: Path, suffix: str, cut: int) -> None:
    path = write_rows(tmp_path / f"rows.{suffix}", make_clip(0.3))
    path.write_bytes(path.read_bytes()[:-cut])
    *rows, last = read(path)
    if cut == 1:  # only the newline
        assert isinstance(last, FrameRow)
        return
    assert [row.frame for row in rows if isinstance(row, FrameRow)] == [0, 1]
    assert isinstance(last, Problem)
    assert last.reason.startswith("incomplete row")


@FORMATS
def test_a_line_without_end_is_passed_over_in_little_memory(tmp_path: Path, suffix: str) -> None:
    path = write_rows(tmp_path / f"rows.{suffix}", make_clip(0.2))
    with path.open("ab") as file:
        file.write(b"x" * (5 << 20) + b"\n")
    *rows, last = read(path)
    assert len(rows) == 2
    assert isinstance(last, Problem)
    assert last.reason == "too long for a row"


@FORMATS
def test_rows_after_a_damaged_one_are_read(tmp_path: Path, suffix: str) -> None:
    path = write_rows(tmp_path / f"rows.{suffix}", make_clip(0.4))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\xff\xfe garbage\n", b"\0" * 40 + b"\n", *lines[2:]]))
    items = read(path)
    assert [item.frame for item in items if isinstance(item, FrameRow)] == [0, 1, 2, 3]
    assert len([item for item in items if isinstance(item, Problem)]) == 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"much"', "null"])
@pytest.mark.parametrize("field", ["score", "happy", "time_s"])
def test_what_is_not_a_number_is_a_problem_of_its_row(tmp_path: Path, value: str, field: str) -> None:
    if (field, value) == ("time_s", "null"):
        return  # an image has no time
    path = write_rows(tmp_path / "rows.jsonl", make_clip(0.2))
    first, second = path.read_text().splitlines()
    record = json.loads(second)
    number = record["time_s"] if field == "time_s" else record["faces"][0]["score"]
    damaged = second.replace(f'"{field}": {number}', f'"{field}": {value}')
    assert damaged != second
    path.write_text(f"{first}\n{damaged}\n{first}\n")
    good, bad, again = read(path)
    assert isinstance(bad, Problem)
    assert good == again


@FORMATS
@pytest.mark.parametrize(("field", "old", "value"), [("face_id", "3", "9" * 30), ("time_s", "7.5", "1e300")])
def test_a_number_that_is_too_large_is_a_problem_of_its_row(
    tmp_path: Path, suffix: str, field: str, old: str, value: str
) -> None:
    path = write_rows(tmp_path / f"rows.{suffix}", [make_frame(5, [make_face(3)], time_s=7.5)])
    mark = f"{old}," if suffix == "csv" else f'"{field.removeprefix("face_")}": {old}'
    content = path.read_text()
    assert mark in content
    path.write_text(content.replace(mark, mark.replace(old, value), 1))
    (bad,) = read(path)
    assert isinstance(bad, Problem)


@pytest.mark.parametrize("value", ["nan", "inf", "x"])
def test_what_is_not_a_number_is_a_problem_of_its_row_in_csv(tmp_path: Path, value: str) -> None:
    path = write_rows(tmp_path / "rows.csv", make_clip(0.2))
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("0.7", value, 1)
    path.write_text("\n".join(lines) + "\n")
    bad, good = read(path)
    assert isinstance(bad, Problem)
    assert isinstance(good, FrameRow)


def test_parquet_has_the_same_rows(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    views = [
        make_frame(0, time_s=0.0, clock=CLOCK),
        make_frame(1, [make_face(3, "sad", 0.4), make_face(4)], time_s=0.1, clock=CLOCK),
        make_frame(0, [make_face(5)], source="a.jpg"),
    ]
    rows = write_rows(tmp_path / "rows.csv", views)
    table = read_results(rows, "arrow")
    pq.write_table(table, tmp_path / "rows.parquet")
    assert read(tmp_path / "rows.parquet") == read(rows)
    # An archive has additional columns and lists its labels; its clock is text.
    archived = table.drop_columns(["clock"]).append_column("room", pa.array([1.5] * 4))
    archived = archived.append_column("clock", pa.array([CLOCK.isoformat()] * 3 + [None], pa.string()))
    stated = {"fer_edge": json.dumps({"labels": LABELS})}
    pq.write_table(archived.replace_schema_metadata(stated), tmp_path / "archived.parquet")
    assert read(tmp_path / "archived.parquet") == read(rows)


@pytest.mark.parametrize("column", ["source", "frame", "face_id", "x", "height", "emotion", "score", "happy"])
def test_a_parquet_row_without_a_value_is_a_problem_and_no_other(tmp_path: Path, column: str) -> None:
    import pyarrow.parquet as pq

    views = [make_frame(index, [make_face(index)], time_s=index / 10) for index in range(3)]
    table = read_results(write_rows(tmp_path / "rows.csv", views), "arrow")
    values = table.column(column).to_pylist()
    kind = pa.string() if column in ("source", "emotion") else table.schema.field(column).type
    damaged = pa.array([values[0], None, values[2]], kind)
    table = table.set_column(table.schema.names.index(column), column, damaged)
    pq.write_table(table, tmp_path / "rows.parquet")
    read_results(tmp_path / "rows.parquet", "arrow")
    kinds = [type(item) for item in read(tmp_path / "rows.parquet")]
    # A row without an id means that the frame has no face.
    assert kinds == [FrameRow, FrameRow if column == "face_id" else Problem, FrameRow]


@pytest.mark.parametrize("text", [b"clip.mp4", b"room_name"])
def test_a_parquet_text_that_is_not_utf_8_is_an_error_and_no_traceback(tmp_path: Path, text: bytes) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    table = read_results(write_rows(tmp_path / "rows.csv", make_clip(0.3)), "arrow")
    table = table.append_column("room_name", pa.array([1] * len(table)))
    pq.write_table(table, path, compression="none")
    path.write_bytes(path.read_bytes().replace(text, text.replace(b"m", b"\xff")))
    with pytest.raises(
        SourceError, match=r"rows\.parquet: (cannot read as Parquet|.*damaged)|the file is damaged"
    ):
        read_results(path, "arrow")


def test_an_archive_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"fer-edge\[archive\]"):
        read(tmp_path / "rows.parquet")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.jsonl", b"source,frame,time_s\n", "the file is CSV, not JSON Lines; rename it to end in .csv"),
        (
            "rows.jsonl",
            b"<!doctype html>\n",
            "not JSON Lines written by fer-edge; use a results file of fer-edge",
        ),
        ("rows.csv", b'{"source": "a"}\n', "the file is JSON Lines, not CSV; rename it to end in .jsonl"),
        (
            "rows.csv",
            b"epoch,loss\n1,2\n",
            "not CSV written by fer-edge: the first line has no column 'source'",
        ),
        ("rows.parquet", b"source,frame\n", "cannot read as Parquet"),
        ("rows.csv", b"\x89PNG\r\n\x1a\n", "not CSV written by fer-edge"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(said)):
        read(path)


def test_rows_of_version_0_1_have_no_clock(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", make_clip(0.1))
    header, row = path.read_text().splitlines()
    path.write_text(header.replace("clock,", "") + "\n" + row.replace(",0.0,,", ",0.0,", 1) + "\n")
    (old,) = read(path)
    assert isinstance(old, FrameRow)
    assert (old.time_s, old.clock, old.faces[0].emotion) == (0.0, None, "happy")


def test_a_quotation_mark_that_is_never_closed_costs_rows_not_the_program(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", make_clip(300.0))
    lines = path.read_text().splitlines(keepends=True)
    lines[1] = '"' + lines[1]
    path.write_text("".join(lines))
    items = read(path)
    assert any(isinstance(item, Problem) and "quotation" in item.reason for item in items)
    assert any(isinstance(item, FrameRow) for item in items)


def test_spreadsheets_add_marks_and_other_line_ends(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", make_clip(0.3))
    rows = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path) == rows


def test_a_clock_without_an_offset_is_refused(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "rows.jsonl", [make_frame(0, time_s=0.0, clock=datetime(2026, 1, 1, tzinfo=UTC))]
    )
    path.write_text(path.read_text().replace("+00:00", ""))
    (bad,) = read(path)
    assert bad == Problem("line 1", "the clock has no UTC offset")


def rewrite(path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> Path:
    """Change the table of a CSV file."""
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(table))
    return path


def add_column(values: Sequence[str], at: int) -> Callable[[list[list[str]]], list[list[str]]]:
    """Return a function that inserts a column, as a spreadsheet or pandas can."""
    return lambda table: [
        [*row[:at], "participant" if not number else values[number % len(values)], *row[at:]]
        for number, row in enumerate(table)
    ]


@pytest.mark.parametrize("values", [["7"], ["0", "3"], ["control"], [""], ["nan"], ["0.5", "x"]])
@pytest.mark.parametrize("at", [0, 5, 12, 19])
def test_columns_that_somebody_added_to_a_table_are_no_labels(
    tmp_path: Path, values: list[str], at: int
) -> None:
    path = write_rows(tmp_path / "rows.csv", make_clip(people=2))
    expected = list(read(path))
    assert list(read(rewrite(path, add_column(values, at)))) == expected


def test_the_order_of_the_columns_of_a_table_does_not_matter(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", make_clip(people=2))
    expected = list(read(path))
    turned = list(read(rewrite(path, lambda table: [row[::-1] for row in table])))
    assert [row.labels for row in turned if isinstance(row, FrameRow)] == [LABELS[::-1]] * len(expected)
    assert [face.box for row in turned if isinstance(row, FrameRow) for face in row.faces] == [
        face.box for row in expected if isinstance(row, FrameRow) for face in row.faces
    ]


@pytest.mark.parametrize("value", ["7", "-0.5", "1e300"])
def test_a_score_that_is_no_probability_is_a_problem_of_its_row(tmp_path: Path, value: str) -> None:
    for suffix, old in ((".csv", ",0.7,"), (".jsonl", '"happy": 0.7')):
        path = write_rows(tmp_path / f"rows{suffix}", make_clip())
        text = path.read_text()
        place = text.rindex(old)
        path.write_text(text[:place] + old.replace("0.7", value) + text[place + len(old) :])
        *rows, last = read(path)
        assert len(rows) == 39
        assert isinstance(last, Problem)
        assert "is not a probability" in last.reason
