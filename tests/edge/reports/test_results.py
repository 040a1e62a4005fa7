"""Results as tables of pandas, polars and Arrow."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fer_edge import read_results
from fer_edge.errors import MissingExtraError, SourceError, UsageError
from fer_edge.types import SkippedInput
from tests.edge.reports.rows import LABELS, make_clip, make_face, make_frame, write_rows

CLOCK = datetime(2026, 11, 26, 9, 5, 7, 250_000, timezone(timedelta(hours=1)))
COLUMNS = [
    "source", "frame", "time_s", "clock", "face_id", "x", "y", "width", "height", "confidence", "emotion", "score",
    *LABELS,
]  # fmt: skip

FORMATS = pytest.mark.parametrize("suffix", ["jsonl", "csv"])


@pytest.fixture
def rows(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    suffix = getattr(request, "param", "jsonl")
    return write_rows(
        tmp_path / f"rows.{suffix}",
        [
            make_frame(0, [make_face(3, "sad"), make_face(4)], time_s=0.0, clock=CLOCK),
            make_frame(1, time_s=0.5, clock=CLOCK + timedelta(seconds=0.5)),
            make_frame(0, [make_face(5)], source="a.jpg"),
        ],
    )


@pytest.mark.parametrize("rows", ["jsonl", "csv"], indirect=True)
def test_pandas_has_the_csv_s_columns_with_their_types(rows: Path) -> None:
    import pandas as pd

    frame = read_results(rows)
    assert list(frame.columns) == COLUMNS
    assert [str(kind) for kind in frame.dtypes[:12]] == [
        "category", "int64", "float64", "datetime64[us, UTC]", *["Int64"] * 5, "float64", "category", "float64",
    ]  # fmt: skip
    assert list(frame.emotion.cat.categories) == list(LABELS)
    assert frame.emotion.tolist()[:2] == ["sad", "happy"]
    assert frame.face_id.tolist() == [3, 4, pd.NA, 5]
    assert frame.clock[0] == pd.Timestamp(CLOCK)
    assert frame.isna().sum().to_dict() == {
        **dict.fromkeys(COLUMNS, 1),
        "source": 0, "frame": 0,
    }  # fmt: skip
    assert frame.happy[1] == pytest.approx(0.7)
    assert frame.attrs == {"problems": [], "errors": []}


@FORMATS
def test_polars_and_arrow_have_the_same(tmp_path: Path, suffix: str) -> None:
    rows = write_rows(
        tmp_path / f"rows.{suffix}",
        [make_frame(0, [make_face(3, "sad")], time_s=0.0, clock=CLOCK), make_frame(1, time_s=0.5)],
    )
    frame, table, other = read_results(rows), read_results(rows, "arrow"), read_results(rows, "polars")
    assert table.column_names == other.columns == COLUMNS
    assert str(table.schema.field("clock").type) == "timestamp[us, tz=UTC]"
    assert str(other.schema["clock"]) == "Datetime(time_unit='us', time_zone='UTC')"
    expected = [
        row | {"clock": CLOCK if number == 0 else None} for number, row in enumerate(table.to_pylist())
    ]
    assert [row["clock"] for row in table.to_pylist()] == [CLOCK, None]
    assert other.to_dicts() == expected
    for name in ("frame", "face_id", "score", "sad"):
        assert frame[name].tolist()[0] == expected[0][name]
    assert expected[1]["emotion"] is None
    assert expected[1]["face_id"] is None


def test_frames_without_a_face_can_be_left_out(rows: Path) -> None:
    assert len(read_results(rows)) == 4
    assert len(read_results(rows, empty_frames=False)) == 3


def test_several_paths_with_other_labels_are_one_table(tmp_path: Path) -> None:
    one = write_rows(tmp_path / "a.jsonl", make_clip(0.2))
    two = write_rows(
        tmp_path / "b.csv",
        [make_frame(0, [make_face(0, "smile", 0.9, ("smile", "other"))])],
        ("smile", "other"),
    )
    frame = read_results([one, two])
    assert list(frame.columns) == [*COLUMNS, "smile", "other"]
    assert frame.smile.isna().tolist() == [True, True, False]
    assert frame.happy.isna().tolist() == [False, False, True]


def test_what_could_not_be_read_is_stated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [*make_clip(0.2), SkippedInput("b.mp4", "cannot open video")])
    with rows.open("ab") as file:
        file.write(b'{"source": "clip')
    with caplog.at_level(logging.WARNING, "fer_edge"):
        frame = read_results(rows)
    assert len(frame) == 2
    assert frame.attrs["errors"] == [{"source": "b.mp4", "error": "cannot open video"}]
    (problem,) = frame.attrs["problems"]
    assert "incomplete row" in problem
    assert [record.getMessage() for record in caplog.records] == [problem, "b.mp4: cannot open video"]
    metadata = read_results(rows, "arrow").schema.metadata
    assert json.loads(metadata[b"problems"]) == [problem]


def test_where_nothing_can_be_read_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        read_results(tmp_path / "rows.jsonl")


def test_an_unknown_library_is_refused(rows: Path) -> None:
    with pytest.raises(UsageError, match="pandas, polars, arrow"):
        read_results(rows, "excel")  # type: ignore[arg-type]


@pytest.mark.parametrize(("library", "package", "extra"), [
    ("pandas", "pandas", "pandas"), ("polars", "polars", "polars"), ("arrow", "pyarrow", "archive"),
])  # fmt: skip
def test_a_library_that_is_missing_is_named_with_its_extra(
    rows: Path, monkeypatch: pytest.MonkeyPatch, library: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*fer-edge\[{extra}\]"):
        read_results(rows, library)  # type: ignore[arg-type]
