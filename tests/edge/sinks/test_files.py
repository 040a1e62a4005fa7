"""Common behavior of file sinks: files are complete, replace no other file, and are never half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks.base import Sink
from tests.edge.sinks.filling import fill, full_disk, image_sink, row_sink
from tests.edge.support import make_view, names_in, noise

SINKS: dict[str, Callable[..., Sink]] = {
    "a.jsonl": row_sink,
    "a.csv": row_sink,
    "a.png": image_sink,
    "a.mp4": image_sink,
    "a.avi": image_sink,
}


@pytest.mark.parametrize("name", SINKS)
class TestEveryFile:
    def test_one_that_is_there_is_refused_and_kept(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match=f"{name}: already exists; replace it with --overwrite"):
            SINKS[name](tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"

    def test_one_that_is_there_is_replaced_where_that_is_wanted(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text("mine")
        fill(SINKS[name](tmp_path / name, overwrite=True), [make_view(0), make_view(1)])
        assert (tmp_path / name).read_bytes()[:4] != b"mine"
        assert names_in(tmp_path) == [name]

    def test_nothing_is_touched_before_the_first_make_view(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text("mine")
        fill(SINKS[name](tmp_path / name, overwrite=True), [])
        assert (tmp_path / name).read_text() == "mine"
        fill(SINKS[name](tmp_path / f"new-{name}"), [])
        assert names_in(tmp_path) == [name]

    def test_a_missing_folder_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=f"{name}: folder .* does not exist; create it first"):
            SINKS[name](tmp_path / "missing" / name)

    def test_a_folder_of_that_name_is_refused(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).mkdir()
        with pytest.raises(OutputError, match=f"{name}: is a folder; choose a file name"):
            SINKS[name](tmp_path / name, overwrite=True)

    def test_what_is_not_permitted_is_refused(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # root may write everywhere, so the error is simulated.
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(OutputError, match=f"{name}: cannot write: permission denied"):
            SINKS[name](tmp_path / name)

    def test_a_folder_that_vanishes_is_an_error(self, name: str, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        sink = SINKS[name](folder / name)
        folder.rmdir()
        with pytest.raises(OutputError, match=name):
            fill(sink, [make_view(0)])

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_device_is_an_error(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).symlink_to("/dev/full")
        with pytest.raises(OutputError, match=f"{name}: "):
            fill(SINKS[name](tmp_path / name, overwrite=True), [make_view(number) for number in range(5)])
        assert Path("/dev/full").is_char_device()

    def test_a_full_disk_is_an_error_and_what_arrived_is_whole(self, name: str, tmp_path: Path) -> None:
        image = noise(320, 240)
        results = [make_view(number, faces=40, image=image) for number in range(60)]
        with full_disk(20_000), pytest.raises(OutputError, match=f"{name}: "):
            fill(SINKS[name](tmp_path / name), [*results])
        # Images and videos are removed; rows are kept up to the one that did not fit.
        assert names_in(tmp_path) in ([], [name])
        if name == "a.jsonl":
            written = (tmp_path / name).read_text()
            assert written.endswith("\n")
            lines = written.splitlines()
            assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
        elif name == "a.csv":
            assert (tmp_path / name).read_text().endswith("\n")

    def test_names_of_any_script(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / "フォルダ" / f"Gesicht – schön 100%d {name}"
        path.parent.mkdir()
        fill(SINKS[name](path), [make_view(0)])
        assert names_in(path.parent) == [path.name]

    def test_a_link_stays_a_link(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / name).write_text("mine")
        (tmp_path / name).symlink_to(tmp_path / "far" / name)
        fill(SINKS[name](tmp_path / name, overwrite=True), [make_view(0)])
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "far" / name).read_bytes()[:4] != b"mine"
        assert names_in(tmp_path / "far") == [name]
