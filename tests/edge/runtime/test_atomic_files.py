"""Output files: rejected early, and either complete or missing."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.runtime.atomic_files import (
    check_file,
    check_file_in_folder,
    check_folder,
    convert_errors_to_output_error,
    make_folder,
    part_path,
    staged_file,
    write_json,
)
from tests.edge.support import names_in

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions, links and devices")


class TestStagedFile:
    @pytest.mark.parametrize("sync", [False, True])
    def test_the_file_appears_when_it_is_complete(self, sync: bool, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        with staged_file(path, sync=sync) as part:
            part.write_text("new")
            assert not path.exists()
            assert part.parent == tmp_path
            assert part.suffix == ".json"
        assert path.read_text() == "new"
        assert names_in(tmp_path) == ["a.json"]

    def test_it_replaces_one_that_was_there_at_the_end_only(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_text("old")
        with staged_file(path) as part:
            part.write_text("new")
            assert path.read_text() == "old"
        assert path.read_text() == "new"

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
    def test_after_an_error_all_is_as_before(self, error: type[BaseException], tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_text("old")
        with suppress(error), staged_file(path) as part:
            part.write_text("half")
            raise error
        assert path.read_text() == "old"
        assert names_in(tmp_path) == ["a.txt"]

    @posix
    @pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o400])
    def test_permissions_stay(self, mode: int, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_text("old")
        path.chmod(mode)
        with staged_file(path) as part:
            part.write_text("new")
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @posix
    def test_a_new_file_has_the_usual_permissions(self, tmp_path: Path) -> None:
        (tmp_path / "usual").touch()
        with staged_file(tmp_path / "a.txt") as part:
            part.write_text("new")
        assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "usual").stat().st_mode

    @posix
    def test_a_link_stays_and_what_it_leads_to_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        (tmp_path / "far/a.txt").write_text("old")
        (tmp_path / "link.txt").symlink_to("far/a.txt")
        with staged_file(tmp_path / "link.txt") as part:
            part.write_text("new")
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "far/a.txt").read_text() == "new"
        assert names_in(tmp_path / "far") == ["a.txt"]

    @posix
    def test_a_link_to_nothing_leads_to_the_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "link.txt").symlink_to("a.txt")
        with staged_file(tmp_path / "link.txt") as part:
            part.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "new"
        assert (tmp_path / "link.txt").is_symlink()

    @posix
    def test_a_device_is_written_to_as_it_is(self) -> None:
        with staged_file(Path(os.devnull)) as part:
            assert part == Path(os.devnull)
            part.write_text("gone")
        assert Path(os.devnull).is_char_device()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_device_is_an_error_that_names_it(self) -> None:
        with (
            pytest.raises(OutputError, match="/dev/full: cannot write: No space left on device"),
            staged_file(Path("/dev/full")) as part,
        ):
            part.write_text("too much")
        assert Path("/dev/full").is_char_device()

    def test_a_missing_folder_is_an_error_that_names_the_file(self, tmp_path: Path) -> None:
        with (
            pytest.raises(OutputError, match=r"missing.a\.txt: cannot write: No such file"),
            staged_file(tmp_path / "missing/a.txt") as part,
        ):
            part.write_text("new")

    def test_a_block_that_writes_nothing_is_an_error(self, tmp_path: Path) -> None:
        with (
            pytest.raises(OutputError, match=r"a\.txt: cannot write"),
            staged_file(tmp_path / "a.txt"),
        ):
            pass
        assert names_in(tmp_path) == []

    @pytest.mark.parametrize("name", ["a", ".hidden", "Gesicht – schön 100%d.png", "フェイス.tar.gz"])
    def test_names_of_any_kind(self, name: str, tmp_path: Path) -> None:
        with staged_file(tmp_path / name) as part:
            part.write_text("new")
        assert names_in(tmp_path) == [name]


class TestChecks:
    def test_a_file_that_can_be_written_passes(self, tmp_path: Path) -> None:
        check_file(tmp_path / "new.txt", overwrite=False)
        (tmp_path / "old.txt").touch()
        check_file(tmp_path / "old.txt", overwrite=True)
        assert names_in(tmp_path) == ["old.txt"]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("old.txt", "already exists; choose another name"),
            ("folder", "is a folder; choose a file name"),
            ("missing/new.txt", "folder .*missing does not exist; create it first"),
        ],
    )
    def test_another_is_refused(self, name: str, reason: str, tmp_path: Path) -> None:
        (tmp_path / "old.txt").touch()
        (tmp_path / "folder").mkdir()
        with pytest.raises(OutputError, match=reason):
            check_file(tmp_path / name, overwrite=False)

    @posix
    def test_a_device_may_be_there(self) -> None:
        check_file(Path(os.devnull), overwrite=False)

    def test_what_is_not_permitted_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # root may write everywhere, so the error is simulated.
        monkeypatch.setattr("os.access", lambda path, mode: False)
        for check in (
            lambda: check_file(tmp_path / "a", overwrite=False),
            lambda: check_folder(tmp_path / "b"),
        ):
            with pytest.raises(OutputError, match="cannot write: permission denied"):
                check()

    def test_a_folder_that_is_there_or_can_be_made_passes(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "new", tmp_path / "new/deep"):
            check_folder(folder)
        assert names_in(tmp_path) == []

    def test_a_file_in_a_folder(self, tmp_path: Path) -> None:
        check_file_in_folder(tmp_path, "a", overwrite=False)
        check_file_in_folder(tmp_path / "missing", "a", overwrite=False)
        (tmp_path / "a").touch()
        check_file_in_folder(tmp_path, "a", overwrite=True)
        with pytest.raises(OutputError, match="a: already exists; choose another folder"):
            check_file_in_folder(tmp_path, "a", overwrite=False)
        with pytest.raises(OutputError, match="a: is a file, not a folder"):
            check_file_in_folder(tmp_path / "a", "b", overwrite=True)

    def test_a_folder_is_made_with_those_above_it(self, tmp_path: Path) -> None:
        for _ in range(2):
            make_folder(tmp_path / "a/b/c")
        assert (tmp_path / "a/b/c").is_dir()
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match="cannot create folder: Not a directory"):
            make_folder(tmp_path / "file/a")


class TestErrors:
    def test_the_system_s_error_names_the_file(self) -> None:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with (
            pytest.raises(OutputError, match=r"a\.txt: cannot write: No space left") as caught,
            convert_errors_to_output_error("a.txt"),
        ):
            raise full
        assert caught.value.__cause__ is full

    @pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("other")])
    def test_a_closed_pipe_and_others_stay_what_they_are(self, error: Exception) -> None:
        with pytest.raises(type(error)) as caught, convert_errors_to_output_error("a.txt"):
            raise error
        assert caught.value is error


def test_json_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"name": "émue", "values": [1, 2.5, None]})
    text = path.read_text("utf-8")
    assert json.loads(text) == {"name": "émue", "values": [1, 2.5, None]}
    assert "émue" in text
    assert text.endswith("}\n")
    assert names_in(tmp_path) == ["a.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names are Unicode")
def test_json_takes_names_that_are_no_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": os.fsdecode(b"bild\xff.png")})
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["name"] == "bild\udcff.png"


@posix
class TestLeftovers:
    @pytest.fixture
    def dead(self) -> int:
        """Return the id of a process that has ended."""
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        return process.pid

    def test_what_a_killed_process_left_of_the_same_file_is_removed(self, dead: int, tmp_path: Path) -> None:
        (tmp_path / f".a.{dead}.part.mp4").write_text("half")
        with staged_file(tmp_path / "a.mp4") as part:
            assert names_in(tmp_path) == []
            part.write_text("new")
        assert names_in(tmp_path) == ["a.mp4"]

    def test_no_other_file_is_removed(self, dead: int, tmp_path: Path) -> None:
        others = [
            f".b.{dead}.part.mp4",
            f".a.{dead}.part.mkv",
            f".a.b.{dead}.part.mp4",
            f"a.{dead}.part.mp4",
            f".a.{os.getppid()}.part.mp4",
            ".a.1.part.mp4",
            ".a.x.part.mp4",
            f".a.{10**30}.part.mp4",
            f".aX{dead}.part.mp4",
        ]
        for name in others:
            (tmp_path / name).touch()
        with staged_file(tmp_path / "a.mp4") as part:
            part.write_text("new")
        assert names_in(tmp_path) == sorted(["a.mp4", *others])

    @pytest.mark.parametrize("stem", ["a.0.part", "a[1]*", "0", "é" * 120])
    def test_odd_names(self, stem: str, dead: int, tmp_path: Path) -> None:
        with staged_file(tmp_path / f"{stem}.mp4") as part:
            part.write_text("half")
            left = part.read_text()
            name = part.name.replace(f".{os.getpid()}.part.mp4", f".{dead}.part.mp4")
        (tmp_path / name).write_text(left)
        with staged_file(tmp_path / f"{stem}.mp4") as part:
            part.write_text("new")
        assert names_in(tmp_path) == [f"{stem}.mp4"]


@pytest.mark.parametrize("length", [230, 240, 251])
def test_names_as_long_as_they_may_be(length: int, tmp_path: Path) -> None:
    names = ["a" * length + ".txt", "a" * (length - 1) + "b.txt"]
    with staged_file(tmp_path / names[0]) as one, staged_file(tmp_path / names[1]) as other:
        one.write_text("one")
        other.write_text("other")
    assert [(tmp_path / name).read_text() for name in names] == ["one", "other"]


@posix
def test_a_link_to_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from fer_edge.runtime.atomic_files import staged_file\n"
        "with staged_file(Path(sys.argv[1])) as part: part.write_text('through')"
    )
    (tmp_path / "a.txt").symlink_to("/dev/stdout")
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "a.txt"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "through", "")


@posix
def test_a_link_that_somebody_put_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    target, victim = tmp_path / "shared/a.txt", tmp_path / "victim"
    target.parent.mkdir()
    victim.write_text("mine")
    part_path(target).symlink_to(victim)
    with staged_file(target) as part:
        part.write_text("content")
    assert (victim.read_text(), target.read_text()) == ("mine", "content")
    assert not target.is_symlink()
