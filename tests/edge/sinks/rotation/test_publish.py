"""A finished file gets its name without replacing another file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fer_edge.sinks.rotation import publish
from fer_edge.sinks.rotation.journal import FileJournal
from fer_edge.sinks.rotation.publish import publish_file, recover_files
from fer_edge.sinks.rotation.timed_name import TimedName
from tests.edge.support import names_in

_LINK = os.link


@pytest.fixture
def journal(tmp_path: Path) -> FileJournal:
    return FileJournal(TimedName(f"{tmp_path}/c-%d.mp4"))


@pytest.fixture(params=["links", "no links"], autouse=True)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a normal file system, and one without hard links, such as FAT."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "no links":
        monkeypatch.setattr(publish.os, "link", refuse)


def part_in(folder: Path, content: str) -> Path:
    part = folder / ".part"
    part.write_text(content)
    return part


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path, journal: FileJournal) -> None:
    target = tmp_path / "c-01.mp4"
    published = [publish_file(part_in(tmp_path, str(turn)), target, journal).name for turn in range(3)]
    assert published == ["c-01.mp4", "c-01-2.mp4", "c-01-3.mp4"]
    assert [(tmp_path / name).read_text() for name in published] == ["0", "1", "2"]
    assert [*journal.files] == published


def test_a_name_that_is_taken_at_the_last_moment_too(
    tmp_path: Path, journal: FileJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = FileJournal.finish

    def finish_late(self: FileJournal, path: Path, content: Path | None = None) -> None:
        finish(self, path, content)
        if path.name == "c-01.mp4":
            path.write_text("mine")

    monkeypatch.setattr(FileJournal, "finish", finish_late)
    published = publish_file(part_in(tmp_path, "video"), tmp_path / "c-01.mp4", journal)
    assert published.name == "c-01-2.mp4"
    assert (tmp_path / "c-01.mp4").read_text() == "mine"
    assert [*journal.files] == ["c-01-2.mp4"]


def test_replacing_is_asked_for(tmp_path: Path, journal: FileJournal) -> None:
    (tmp_path / "c-01.mp4").write_text("old")
    publish_file(part_in(tmp_path, "new"), tmp_path / "c-01.mp4", journal, replace=True)
    assert (tmp_path / "c-01.mp4").read_text() == "new"


def test_what_has_its_name_already_is_not_recovered_twice(tmp_path: Path, journal: FileJournal) -> None:
    (tmp_path / "c-01.mp4").write_text("video")
    part = tmp_path / f".c-01.{os.getpid()}.part.mp4"
    _LINK(tmp_path / "c-01.mp4", part)
    recover_files(journal.name, journal, lambda _: True)
    assert names_in(tmp_path) == ["c-01.mp4"]


def test_what_another_process_writes_is_left_alone(tmp_path: Path, journal: FileJournal) -> None:
    part = tmp_path / f".c-01.{os.getppid()}.part.mp4"
    part.write_text("video")
    recover_files(journal.name, journal, lambda _: True)
    assert names_in(tmp_path) == [part.name]
