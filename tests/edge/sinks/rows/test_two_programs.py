"""Two programs that write to the same row file."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks.rows.append_file import AppendFile
from fer_edge.sinks.rows.row_file import RowFile
from tests.edge.sinks.cameras import NOON, camera_rows, opened, seen
from tests.edge.support import names_in, read_rows

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has different file locks")


def test_the_second_is_refused_before_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with opened(camera_rows(path)) as first:
        first.write(seen(NOON, 0))
        for options in ({"append": True}, {"overwrite": True}):
            with pytest.raises(OutputError, match="another program is writing to this file"):
                camera_rows(path, **options)
        first.write(seen(NOON, 1))
    assert [row["frame"] for row in read_rows(path.read_text())] == [0, 1]
    with opened(camera_rows(path, append=True)) as second:
        second.write(seen(NOON, 2))
    assert [row["frame"] for row in read_rows(path.read_text())] == [0, 1, 2]


@pytest.mark.parametrize("append", [False, True])
def test_the_rows_of_a_video_are_not_mixed_with_those_of_another_run(append: bool, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"old\n")
    first, second = RowFile(path, append=append), RowFile(path, append=append)
    first.write_bytes(b"1\n")
    with pytest.raises(OutputError, match="another program is writing to this file"):
        second.write_bytes(b"2\n")
    first.write_bytes(b"3\n")
    first.close()
    assert path.read_bytes() == (b"old\n1\n3\n" if append else b"1\n3\n")
    second.write_bytes(b"4\n")
    second.close()
    assert path.read_bytes() == (b"old\n1\n3\n4\n" if append else b"4\n")


def test_a_later_name_that_is_in_use_gets_a_number(tmp_path: Path) -> None:
    taken = AppendFile(tmp_path / NOON.strftime("r-%H%M%S.jsonl"))
    earlier = NOON - timedelta(seconds=1)
    with opened(camera_rows(tmp_path / "r-%H%M%S.jsonl")) as sink:
        sink.write(seen(earlier, 0))
        sink.write(seen(NOON, 1))
    taken.close()
    visible = [name for name in names_in(tmp_path) if not name.startswith(".")]
    assert len(visible) == 3
    assert any(name.endswith("-2.jsonl") for name in visible)
