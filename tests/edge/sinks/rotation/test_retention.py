"""Deletion of the oldest files that an output wrote, and of nothing else, whatever its list contains."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fer_edge.sinks.rotation import journal as journal_module
from fer_edge.sinks.rotation import retention as retention_module
from fer_edge.sinks.rotation.journal import FileJournal, hidden_path
from fer_edge.sinks.rotation.retention import Retention
from fer_edge.sinks.rotation.timed_name import TimedName
from tests.edge.sinks.cameras import camera_video, from_then_on, local, opened, seen, write_rows
from tests.edge.support import names_in

DAY = 86_400.0
SIZE = 100_000


def visible(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if not name.startswith(".")]


def write_day(journal: FileJournal, day: int, *, age: float | None = None, size: int = SIZE) -> Path:
    """Write a file as an output does, with its age in days; by default its age on the 30th."""
    path = journal.name.folder / journal.name.pattern.replace("%d", f"{day:02}").replace("%m", "11")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    modified = time.time() - (30 - day if age is None else age) * DAY
    os.utime(path, (modified, modified))
    journal.finish(path)
    return path


@pytest.fixture
def name(tmp_path: Path) -> TimedName:
    return TimedName(f"{tmp_path}/r-%d.csv")


def test_what_is_too_old_is_deleted(name: TimedName, tmp_path: Path) -> None:
    (tmp_path / "r-01.csv").write_text("not in the list")
    before = Retention().register(name)
    for day in (10, 20, 27, 28):
        write_day(before, day)
    Retention(days=5).register(name).announce()
    assert visible(tmp_path) == ["r-01.csv", "r-27.csv", "r-28.csv"]


def test_the_oldest_are_deleted_until_all_take_no_more(name: TimedName, tmp_path: Path) -> None:
    journal = Retention(gigabytes=3.5 * SIZE / 1e9).register(name)
    for day in range(10, 20):
        write_day(journal, day)
    assert visible(tmp_path) == ["r-17.csv", "r-18.csv", "r-19.csv"]


def test_both_limits_hold(name: TimedName, tmp_path: Path) -> None:
    journal = Retention(gigabytes=3.5 * SIZE / 1e9, days=2.5).register(name)
    for day in range(20, 30):
        write_day(journal, day)
    assert visible(tmp_path) == ["r-28.csv", "r-29.csv"]


def test_several_outputs_share_one_limit(tmp_path: Path) -> None:
    kept = Retention(gigabytes=2.5 * SIZE / 1e9)
    first, second = (kept.register(TimedName(f"{tmp_path}/{side}-%d.csv")) for side in "ab")
    for day in (10, 12, 14):
        write_day(first, day)
        write_day(second, day + 1)
    assert visible(tmp_path) == ["a-14.csv", "b-15.csv"]


def test_another_output_s_files_in_the_same_folder_stay(tmp_path: Path) -> None:
    write_day(Retention().register(TimedName(f"{tmp_path}/other-%d.csv")), 1)
    Retention(days=1).register(TimedName(f"{tmp_path}/r-%d.csv")).announce()
    assert visible(tmp_path) == ["other-01.csv"]


def test_what_is_being_written_stays_and_counts(name: TimedName, tmp_path: Path) -> None:
    journal = Retention(gigabytes=1.5 * SIZE / 1e9, days=1).register(name)
    current = write_day(journal, 29, age=0)
    journal.begin(current)
    os.utime(current, (0, 0))
    write_day(journal, 30, age=0)
    assert visible(tmp_path) == ["r-29.csv"]


def test_folders_that_become_empty_go_too(tmp_path: Path) -> None:
    name = TimedName(f"{tmp_path}/%m/%d/r.csv")
    for day in (10, 11, 28):
        write_day(Retention().register(name), day)
    (tmp_path / "11/11/mine").touch()
    write_day(Retention(days=5).register(name), 29)
    assert visible(tmp_path / "11") == ["11", "28", "29"]


# --- other files are never deleted ---


@pytest.mark.parametrize("how", ["edited", "replaced", "link", "folder", "touched"])
def test_what_is_no_longer_as_it_was_left_stays(
    name: TimedName, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_day(Retention().register(name), 1)
    mine = tmp_path / "mine.txt"
    mine.write_bytes(b"x" * SIZE)
    if how == "edited":
        with path.open("a") as file:
            file.write("a note")
    elif how == "replaced":
        path.unlink()
        path.write_text("another")
    elif how == "link":
        os.utime(mine, (path.stat().st_mtime,) * 2)
        path.unlink()
        path.symlink_to(mine)
    elif how == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.touch()
    journal = Retention(days=1, gigabytes=1e-9).register(name)
    journal.announce()
    journal.announce()
    assert os.path.lexists(path)
    assert mine.exists()
    assert caplog.text.count("not deleted") == 1


def test_a_copy_that_was_moved_to_another_disk_is_still_known(name: TimedName, tmp_path: Path) -> None:
    path = write_day(Retention().register(name), 1)
    shutil.copy2(path, tmp_path / "copy")
    (tmp_path / "copy").replace(path)
    Retention(days=1).register(name).announce()
    assert not path.exists()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"\0\0\0\0",
        b"[]",
        b'{"file": 1, "size": 1, "modified": 0}',
        b'{"file": "../r-01.csv", "size": 4, "modified": 0}',
        b'{"file": "/etc/r-01.csv", "size": 4, "modified": 0}',
        b'{"file": "mine.txt", "size": 4, "modified": 0}',
        b'{"file": "sub/r-01.csv", "size": 4, "modified": 0}',
        b'{"file": "r-02.csv", "size": 1e999, "modified": 0}',
        b'{"file": "r-02.csv", "size": 4, "modified": "NaN"}',
        b'{"file": "r-02.csv"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_list_deletes_nothing_else(tmp_path: Path, line: bytes) -> None:
    folder = tmp_path / "data"
    for path in ("r-01.csv", "data/mine.txt", "data/sub/r-01.csv", "data/r-02.csv"):
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text("mine")
        os.utime(tmp_path / path, (0, 0))
    name = TimedName(f"{folder}/r-%d.csv")
    known = write_day(Retention().register(name), 3)
    with hidden_path(name, ".jsonl").open("ab") as file:
        file.write(line + b"\n")
    Retention(days=1, gigabytes=1e-9).register(name).announce()
    assert not known.exists()
    assert visible(folder) == ["mine.txt", "r-02.csv", "sub"]
    assert (folder / "sub/r-01.csv").exists()
    assert (tmp_path / "r-01.csv").exists()


def test_a_folder_that_is_a_link_now_is_not_entered(tmp_path: Path) -> None:
    name = TimedName(f"{tmp_path}/data/%m/r-%d.csv")
    path = write_day(Retention().register(name), 1)
    (tmp_path / "data/11").rename(tmp_path / "elsewhere")
    (tmp_path / "data/11").symlink_to(tmp_path / "elsewhere")
    Retention(days=1).register(name).announce()
    assert path.exists()


def test_a_list_that_is_a_link_is_neither_read_nor_written(
    name: TimedName, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    hidden_path(name, ".jsonl").symlink_to(target)
    write_day(Retention(days=1).register(name), 1)
    assert target.read_text() == "mine"
    assert "the list of files: " in caplog.text


def test_a_list_that_is_a_pipe_holds_nobody_up(name: TimedName) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(hidden_path(name, ".jsonl"))
    write_day(Retention(days=1).register(name), 1)


# --- kills and restarts ---


def test_what_a_killed_run_had_begun_is_known(name: TimedName, tmp_path: Path) -> None:
    before = Retention().register(name)
    path = tmp_path / "r-01.csv"
    path.write_text("rows")
    before.begin(path)
    os.utime(path, (0, 0))
    Retention(days=1).register(name).announce()
    assert not path.exists()


def test_a_half_written_line_affects_no_other(name: TimedName, tmp_path: Path) -> None:
    write_day(Retention().register(name), 1)
    with hidden_path(name, ".jsonl").open("ab") as file:
        file.write(b'{"file": "r-02')
    write_day(Retention().register(name), 3)
    write_day(Retention(days=1).register(name), 4)
    assert visible(tmp_path) == []


def test_lines_that_cannot_be_written_wait(
    name: TimedName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Retention().register(name)
    write = os.write

    def fail(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_module.os, "write", fail)
    write_day(journal, 1)
    monkeypatch.setattr(journal_module.os, "write", write)
    write_day(journal, 2)
    Retention(days=1).register(name).announce()
    assert visible(tmp_path) == []


def test_the_list_does_not_grow_for_ever(name: TimedName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_SLACK", 20)
    journal = Retention(gigabytes=2.5e-9).register(name)
    for turn in range(200):
        write_day(journal, turn % 28 + 1, size=1, age=0)
    assert len(hidden_path(name, ".jsonl").read_text().splitlines()) < 40
    assert len(journal.files) == 2
    assert [*FileJournal(name).files] == [*journal.files]


def test_a_clock_that_leaps_forward_deletes_nothing_for_an_hour(
    name: TimedName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        wall, steady = time.time(), 1000.0

        def time(self) -> float:
            return self.wall

        def monotonic(self) -> float:
            return self.steady

    clock = Clock()
    monkeypatch.setattr(retention_module, "time", clock)
    journal = Retention(days=10).register(name)
    write_day(journal, 1, age=1)
    clock.wall += 4000 * DAY
    journal.announce()
    clock.steady += 3000
    clock.wall += 3000
    journal.announce()
    assert visible(tmp_path) == ["r-01.csv"]
    clock.steady += 700
    clock.wall += 700
    journal.announce()
    assert visible(tmp_path) == []


# --- with outputs ---


def test_rows_of_a_camera_are_kept_up_to_a_size(tmp_path: Path) -> None:
    start = local("2026-11-26 10:00")
    kept = Retention(gigabytes=1200 / 1e9)
    write_rows(tmp_path / "%Y/r-%F-%H%M.csv", *from_then_on(start, 20, 60), retention=kept)
    files = sorted(tmp_path.glob("*/r-*.csv"))
    assert len(files) == 3  # of 20 files with 350 bytes each
    assert sum(path.stat().st_size for path in files) <= 1200


def test_segments_of_a_camera_are_kept_up_to_a_size(tmp_path: Path) -> None:
    kept = Retention(gigabytes=5000 / 1e9)
    start = local("2026-11-26 10:00")
    with opened(camera_video(tmp_path / "c-%H%M.mp4", retention=kept)) as sink:
        for index in range(40):
            sink.write(seen(start + timedelta(seconds=15 * index), index))
    names = visible(tmp_path)
    assert 1 <= len(names) < 10
    assert names[-1] == "c-1009.mp4"
    assert sum((tmp_path / name).stat().st_size for name in names) <= 5000


def test_entries_are_lines_of_json(name: TimedName) -> None:
    write_day(Retention().register(name), 1)
    line = json.loads(hidden_path(name, ".jsonl").read_text().splitlines()[-1])
    assert (line["file"], line["size"]) == ("r-01.csv", SIZE)


def test_outputs_that_change_at_the_same_time_in_several_threads(tmp_path: Path) -> None:
    kept = Retention(gigabytes=20.5 * 100 / 1e9)
    journals = [kept.register(TimedName(f"{tmp_path}/{side}-%d.csv")) for side in "abcd"]
    failures: list[BaseException] = []

    def write_many(journal: FileJournal) -> None:
        try:
            for turn in range(150):
                write_day(journal, turn % 28 + 1, age=0, size=100)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=write_many, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(visible(tmp_path)) <= 20
