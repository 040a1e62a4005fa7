"""File names that contain the time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from fer_edge.errors import UsageError
from fer_edge.sinks.rotation.timed_name import TimedName, refuse_fields
from tests.edge.sinks.cameras import local

TIME = local("2026-11-26 09:05:07")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rows-%Y-%m-%d.csv", "rows-2026-11-26.csv"),
        ("%Y/%m/rows-%H%M%S.csv", "2026/11/rows-090507.csv"),
        ("a/%F/%j.csv", "a/2026-11-26/330.csv"),
        ("100%%-%y.csv", "100%-26.csv"),
        ("%GW%V-%u.csv", "2026W48-4.csv"),
        ("plain.csv", "plain.csv"),
        ("50%%.csv", "50%.csv"),
        ("лицо-%d.csv", "лицо-26.csv"),
        ("bild\udcff-%d.csv", "bild\udcff-26.csv"),
        ("%%Y.csv", "%Y.csv"),
    ],
)
def test_fields_are_filled_in(text: str, expected: str) -> None:
    name = TimedName(text)
    assert name.expand(TIME) == Path(expected)
    assert name.matches_relative(name.relative(name.expand(TIME)))


@pytest.mark.parametrize(
    "text", ["%B.csv", "%p-%H.csv", "%-d.csv", "%c.csv", "%s.csv", "rows%.csv", "rows-%"]
)
def test_other_fields_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="unknown field"):
        TimedName(text)


@pytest.mark.parametrize("text", ["", "/", "//", ".", "rows-%Y/", "a/%d/"])
def test_a_folder_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        TimedName(text)


def test_fields_may_be_in_the_suffix() -> None:
    name = TimedName("rows.%Y")
    assert name.matches_relative(name.relative(name.expand(TIME)))


def test_a_name_that_changes_leads_nowhere_else() -> None:
    with pytest.raises(UsageError, match=r"\.\. is not allowed"):
        TimedName("%Y/../rows.csv")
    assert TimedName("../%Y/rows.csv").folder == Path("..")


def test_the_folder_above_all_files_is_known() -> None:
    name = TimedName("/data/cam%%1/%Y/%m/rows.csv")
    assert (name.folder, name.pattern) == (Path("/data/cam%1"), "%Y/%m/rows.csv")
    assert TimedName("rows-%Y.csv").folder == Path()


@pytest.mark.parametrize(
    ("relative", "owned"),
    [
        ("rows-2026.csv", True),
        ("rows-2026-2.csv", True),
        ("rows-2026-2x.csv", False),
        ("rows-26.csv", False),
        ("../rows-2026.csv", False),
        ("rows-2026.csv\n", False),
        ("a/rows-2026.csv", False),
        ("rows-2026xcsv", False),
    ],
)
def test_it_knows_its_own_files(relative: str, owned: bool) -> None:
    assert TimedName("rows-%Y.csv").matches_relative(relative) is owned


def test_its_files_are_found(tmp_path: Path) -> None:
    for path in ("2026/rows-01.csv", "2026/rows-01-2.csv", "2026/other.csv", "x/rows-01.csv", "rows-01.csv"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "2025").symlink_to(tmp_path / "2026")
    found = TimedName(f"{tmp_path}/%Y/rows-%m.csv").find_files()
    assert sorted(found) == [tmp_path / "2026/rows-01-2.csv", tmp_path / "2026/rows-01.csv"]


def test_local_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    utc = datetime.fromisoformat("2026-11-26T23:30:00+00:00")
    assert TimedName("%d.csv").expand(utc) == Path(f"{utc.astimezone():%d}.csv")


@pytest.mark.parametrize("text", ["rows-%Y.csv", "rows-%F.csv", "%m-%d.csv"])
def test_what_has_no_clock_has_no_such_names(text: str) -> None:
    with pytest.raises(UsageError, match="which only frames of cameras have"):
        refuse_fields(text)


def test_a_percent_sign_in_a_name_is_one_where_there_is_no_clock() -> None:
    refuse_fields("100%done.csv")
