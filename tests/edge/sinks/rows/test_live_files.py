"""Rows of a camera: rotating files, and no row lost whatever happens to the disk."""

from __future__ import annotations

import csv
import errno
import json
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks.rows import append_file, live_files, pending
from fer_edge.types import SkippedInput
from tests.edge.sinks.cameras import NOON, camera_rows, from_then_on, local, opened, seen, write_rows
from tests.edge.sinks.filling import full_disk
from tests.edge.support import names_in, wait_until

HEADER = "source,frame,time_s,clock,face_id,x,y,width,height,confidence,emotion,score,sad,happy\n"


def frames_in(*paths: Path) -> list[int]:
    """Return the frame numbers in CSV files, in order."""
    frames = []
    for path in paths:
        with path.open(newline="") as file:
            frames += [int(row["frame"]) for row in csv.DictReader(file)]
    return frames


def visible(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if not name.startswith(".")]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets the time zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone cannot be set on this system")

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_files, "_RETRY_S", 0.02)


# --- names ---


def test_a_file_begins_when_its_name_changes_each_with_its_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "r-%H%M.csv", *from_then_on(local("2026-11-26 10:58"), 30, 6))
    assert visible(tmp_path) == ["r-1058.csv", "r-1059.csv", "r-1100.csv"]
    assert [frames_in(tmp_path / name) for name in visible(tmp_path)] == [[0, 1], [2, 3], [4, 5]]
    assert all((tmp_path / name).read_text().startswith(HEADER) for name in visible(tmp_path))


def test_json_lines_alike(tmp_path: Path) -> None:
    write_rows(tmp_path / "%Y/%m/r-%d.jsonl", *from_then_on(local("2026-12-31 23:59"), 60, 2))
    rows = [(tmp_path / name).read_text() for name in ("2026/12/r-31.jsonl", "2027/01/r-01.jsonl")]
    assert [json.loads(row)["frame"] for row in rows] == [0, 1]


def test_no_hour_is_lost_when_daylight_saving_ends(tmp_path: Path, zone: Any) -> None:
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    start = local("2026-10-25 01:30")
    write_rows(
        tmp_path / "r-%H.csv", *from_then_on(start, 600, 18)
    )  # three hours: 01:30 to 02:59, and 02:00 again
    assert visible(tmp_path) == ["r-01.csv", "r-02.csv", "r-03.csv"]
    assert frames_in(*(tmp_path / name for name in visible(tmp_path))) == [*range(18)]
    assert len(frames_in(tmp_path / "r-02.csv")) == 12


def test_a_clock_that_is_set_back_appends(tmp_path: Path) -> None:
    times = ["10:59", "11:00", "10:30", "11:01", "10:59"]
    results = [seen(local(f"2031-11-26 {text}"), index) for index, text in enumerate(times)]
    write_rows(tmp_path / "r-%y-%H.csv", *results)
    assert frames_in(tmp_path / "r-31-10.csv") == [0, 2, 4]
    assert frames_in(tmp_path / "r-31-11.csv") == [1, 3]
    assert (tmp_path / "r-31-10.csv").read_text().count("source,frame") == 1


def test_frames_without_a_clock_have_the_machine_s(tmp_path: Path) -> None:
    unclocked = seen(NOON)
    unclocked._result.frame.clock = None  # a source without a clock
    write_rows(tmp_path / "r-%Y.csv", unclocked)
    assert len(visible(tmp_path)) == 1


def test_the_first_file_is_refused_where_it_exists(tmp_path: Path) -> None:
    target = tmp_path / "r-%Y.csv"
    write_rows(target, seen(local(f"{time.localtime().tm_year}-06-01 10:00")))
    before = (tmp_path / visible(tmp_path)[0]).read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        camera_rows(target)
    write_rows(target, seen(local(f"{time.localtime().tm_year}-06-01 10:00"), 7), overwrite=True)
    after = tmp_path / visible(tmp_path)[0]
    assert frames_in(after) == [7]
    assert len(after.read_bytes()) == len(before)


def test_overwrite_replaces_only_what_was_there_before(tmp_path: Path) -> None:
    year = time.localtime().tm_year
    clocks = [f"{year}-06-01 10:00", f"{year + 1}-01-01 10:00", f"{year}-06-01 10:00"]
    results = [seen(local(clock), index) for index, clock in enumerate(clocks)]
    (tmp_path / f"r-{year}.csv").write_text("mine")
    write_rows(tmp_path / "r-%Y.csv", *results, overwrite=True)
    assert frames_in(tmp_path / f"r-{year}.csv") == [0, 2]


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", HEADER.replace("sad", "glad") + "1\n", "\0\1\2", "x" * 2_000_000]
)
def test_a_later_file_of_another_kind_stays_and_a_number_is_added(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "r-31-11.csv").write_text(content)
    (tmp_path / "r-31-11-2.csv").mkdir()
    write_rows(tmp_path / "r-%y-%H.csv", *from_then_on(local("2031-11-26 10:59"), 60, 3))
    assert (tmp_path / "r-31-11.csv").read_text() == content
    assert frames_in(tmp_path / "r-31-11-3.csv") == [1, 2]
    assert "rows go to r-31-11-3.csv" in caplog.text


def test_a_later_file_of_our_own_is_continued_its_half_row_cut_off(tmp_path: Path) -> None:
    target = tmp_path / "r-%y-%H.csv"
    write_rows(target, seen(local("2031-11-26 11:00"), 1))
    with (tmp_path / "r-31-11.csv").open("a") as file:
        file.write("0,2,0.2,2026-11-2")
    write_rows(target, seen(local("2031-11-26 10:59"), 3), seen(local("2031-11-26 11:00"), 4))
    assert frames_in(tmp_path / "r-31-11.csv") == [1, 4]


def test_a_link_in_the_place_of_a_later_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "r-31-11.csv").symlink_to(tmp_path / "elsewhere")
    write_rows(tmp_path / "r-%y-%H.csv", *from_then_on(local("2031-11-26 10:59"), 60, 2))
    assert not (tmp_path / "elsewhere").exists()
    assert frames_in(tmp_path / "r-31-11-2.csv") == [1]


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"(name|choose) another"):
        camera_rows(tmp_path / ("%Y" + "x" * 250 + ".csv"))


def test_folders_whose_names_change_are_made_the_one_above_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"(make|create) it first"):
        camera_rows(tmp_path / "missing/%Y/r.csv")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"(make|create) it first"):
        camera_rows(tmp_path / "file/%Y/r.csv")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root can read every file")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"permission (is )?denied"):
        camera_rows(tmp_path / "%Y/r.csv")


# --- changes to files during the run ---


@pytest.mark.parametrize("how", ["renamed", "deleted", "emptied", "folder"])
def test_a_file_that_is_taken_away_begins_again(tmp_path: Path, how: str) -> None:
    path = tmp_path / "data/r.csv"
    path.parent.mkdir()
    with opened(camera_rows(path)) as sink:
        sink.write(seen(NOON, 0))
        if how == "renamed":
            path.rename(tmp_path / "r.csv.1")
        elif how == "deleted":
            path.unlink()
        elif how == "emptied":
            os.truncate(path, 0)
        else:
            path.unlink()
            path.parent.rmdir()
        sink.write(seen(NOON, 1))
    assert path.read_text().startswith(HEADER)
    assert frames_in(path) == [1]
    if how == "renamed":
        assert frames_in(tmp_path / "r.csv.1") == [0]


def test_rows_are_in_the_file_at_once(tmp_path: Path) -> None:
    with opened(camera_rows(tmp_path / "r.csv")) as sink:
        sink.write(seen(NOON, 0))
        assert frames_in(tmp_path / "r.csv") == [0]


def test_an_input_that_could_not_be_read_is_a_row_of_json_lines(tmp_path: Path) -> None:
    with opened(camera_rows(tmp_path / "r-%Y.jsonl")) as sink:
        sink.write(SkippedInput("0", "broken"))
    assert '"error": "broken"' in next(tmp_path.glob("r-*.jsonl")).read_text()


# --- a full disk ---


class FullDisk:
    """Makes writing fail, after part of the data, while ``error`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        self._write = os.write
        monkeypatch.setattr(append_file.os, "write", self.write)

    def fail(self, *_: object) -> None:
        raise OSError(self.error, "it fails")

    def write(self, descriptor: int, content: bytes) -> int:
        if self.error is None:
            return self._write(descriptor, content)
        if len(content) > 10:
            return self._write(descriptor, content[:10])
        raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_rows_wait_while_a_disk_is_full(
    tmp_path: Path, disk: FullDisk, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(camera_rows(tmp_path / "r-%H.csv")) as sink:
        results = list(from_then_on(local("2026-11-26 10:59:30"), 10, 9))
        sink.write(results[0])
        disk.error = number
        for result in results[1:6]:
            sink.write(result)
            time.sleep(0.005)
        assert frames_in(tmp_path / "r-10.csv") == [0]  # no partial row remains
        disk.error = None
        wait_until(lambda: (tmp_path / "r-11.csv").exists())  # even if no frame arrives
        for result in results[6:]:
            sink.write(result)
    assert frames_in(tmp_path / "r-10.csv") == [0, 1, 2]
    assert frames_in(tmp_path / "r-11.csv") == [3, 4, 5, 6, 7, 8]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "no rows were lost" in warnings[1].getMessage()


def test_a_part_of_a_row_that_cannot_be_cut_off_at_once_is_cut_off_later(
    tmp_path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(camera_rows(tmp_path / "r.csv")) as sink:
        sink.write(seen(NOON, 0))
        disk.error = errno.EIO
        with monkeypatch.context() as broken:
            broken.setattr(append_file.os, "ftruncate", disk.fail)
            sink.write(seen(NOON, 1))
        assert not (tmp_path / "r.csv").read_bytes().endswith(b"\n")
        disk.error = None
        time.sleep(0.03)
        sink.write(seen(NOON, 2))
    assert frames_in(tmp_path / "r.csv") == [0, 1, 2]


def test_the_oldest_rows_are_dropped_where_too_many_wait(
    tmp_path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pending, "MOST_PENDING", 3000)
    with opened(camera_rows(tmp_path / "r.csv")) as sink:
        disk.error = errno.ENOSPC
        for result in from_then_on(NOON, 1, 50):
            sink.write(result)
        disk.error = None
        time.sleep(0.05)
        sink.write(seen(NOON, 50))
    kept = frames_in(tmp_path / "r.csv")
    assert kept == [*range(kept[0], 51)]
    assert 0 < kept[0] < 50
    assert f"{kept[0]} rows dropped while the disk was full" in caplog.text


def test_rows_that_are_never_written_are_an_error_at_the_end(tmp_path: Path, disk: FullDisk) -> None:
    disk.error = errno.ENOSPC
    with pytest.raises(OutputError, match="2 rows could not be written: No space left"):
        write_rows(tmp_path / "r.csv", seen(NOON, 0), seen(NOON, 1))
    assert (tmp_path / "r.csv").read_bytes() == b""


def test_a_file_that_may_not_grow_any_more_is_followed_by_another(tmp_path: Path) -> None:
    with full_disk(1000), opened(camera_rows(tmp_path / "r.csv")) as sink:  # like FAT's limit of 4 GB
        for result in from_then_on(NOON, 1, 20):
            sink.write(result)
            time.sleep(0.03)
    assert frames_in(tmp_path / "r.csv", tmp_path / "r-2.csv") == [*range(20)]


def fill_up(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_small_disk_that_is_full_and_gets_room_again(tmp_path: Path, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with opened(camera_rows(small_disk / "r-%H.csv")) as sink:
        sink.write(seen(NOON, 0))
        fill_up(ballast)
        results = list(from_then_on(NOON, 0.001, 600))
        for result in results[1:]:
            sink.write(result)
        ballast.unlink()
    assert frames_in(next(small_disk.glob("r-*.csv"))) == [*range(600)]


def test_memory_of_what_waits_is_bounded() -> None:
    waiting = pending.PendingRows()
    for _ in range(200_000):
        waiting.add(pending.Batch(Path("r.csv"), b"x" * 99 + b"\n"))
    assert waiting.dropped + waiting.count_rows() == 200_000
    assert waiting.count_rows() * 300 <= pending.MOST_PENDING
