"""Locks of files and folders, also against processes that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.runtime.locks import LOCK_FILE, lock_file, lock_folder
from tests.edge.support import names_in

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no locks on Windows")

HOLD = """
import sys
from pathlib import Path
from fer_edge.runtime.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_another_program_that_writes_to_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    message = "out: another program is writing to this folder; wait until it ends, or choose another folder"
    for _ in range(2):
        with lock_folder(folder):
            (folder / "a").touch()
            with pytest.raises(OutputError, match=message), lock_folder(folder):
                raise AssertionError("the folder is locked")
            assert names_in(folder) == [LOCK_FILE, "a"]
        assert names_in(folder) == ["a"]


def test_a_killed_process_locks_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match="another program"), lock_folder(tmp_path):
            pass
        process.kill()
        process.wait()
    assert names_in(tmp_path) == [LOCK_FILE]
    with lock_folder(tmp_path):
        pass
    assert names_in(tmp_path) == []


def test_of_many_processes_one_at_a_time_has_the_lock(tmp_path: Path) -> None:
    folder = tmp_path / "deep/out"
    script = (
        "import sys; from pathlib import Path; from fer_edge.errors import OutputError\n"
        "from fer_edge.runtime.locks import lock_folder\n"
        "folder, got = Path(sys.argv[1]), 0\n"
        "for _ in range(500):\n"
        "    try:\n"
        "        with lock_folder(folder):\n"
        "            (folder / 'mine').mkdir(); (folder / 'mine').rmdir(); got += 1\n"
        "    except OutputError as error:\n"
        "        assert 'another program' in str(error), error\n"
        "print(got)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    got = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert all(got)


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_folders_that_stay_empty_are_removed(error: type[BaseException] | None, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for folder in (tmp_path / "old", tmp_path / "old/new/deep"):
        with ExitStack() as stack:
            if error is not None:
                stack.enter_context(suppress(error))
            stack.enter_context(lock_folder(folder))
            assert folder.is_dir()
            if error is not None:
                raise error
        assert names_in(tmp_path / "old") == []


def test_a_folder_in_use_by_others_is_not_removed(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "new/deep"):
        (tmp_path / "new/other").touch()
    assert names_in(tmp_path / "new") == ["other"]


def test_errors_of_the_block_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), lock_folder(tmp_path):
        (tmp_path / "missing").read_text()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: is a file, not a folder"), lock_folder(tmp_path / "file"):
        pass
    with (
        pytest.raises(OutputError, match="out: cannot write: Not a directory; choose another location"),
        lock_folder(tmp_path / "file/out"),
    ):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LOCK_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="out: cannot write"), lock_folder(tmp_path / "out"):
        pass
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["a.npz", "é" * 120 + ".npz"])
def test_a_file_that_another_program_replaces_is_refused(name: str, tmp_path: Path) -> None:
    with lock_file(tmp_path / name), lock_file(tmp_path / "other.npz"):
        with (
            pytest.raises(OutputError, match=r"npz: another program is writing to this file; wait"),
            lock_file(tmp_path / name),
        ):
            pass
        (tmp_path / name).touch()
    assert names_in(tmp_path) == [name]


def test_a_file_is_locked_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with (
        lock_file(tmp_path / "a"),
        pytest.raises(OutputError, match="another program"),
        lock_file(tmp_path / "link"),
    ):
        pass


def test_a_device_is_not_locked() -> None:
    with lock_file(Path(os.devnull)), lock_file(Path(os.devnull)):
        pass
