"""Folders whose files appear together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fer_edge.errors import OutputError
from fer_edge.runtime.staged_folders import check_staged_folder, staged_folder
from tests.edge.support import names_in


class TestStagedFolder:
    def test_files_appear_together_at_the_end(self, tmp_path: Path) -> None:
        folder = tmp_path / "new/out"
        with staged_folder(folder, overwrite=False) as staging:
            for name in ("a.txt", "b.txt"):
                (staging / name).write_text(name)
            assert not any(path.name in ("a.txt", "b.txt") for path in folder.iterdir())
        assert names_in(folder) == ["a.txt", "b.txt"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_after_an_error_there_are_none_and_a_new_folder_goes(
        self, error: type[BaseException], tmp_path: Path
    ) -> None:
        with suppress(error), staged_folder(tmp_path / "out", overwrite=False) as staging:
            (staging / "a.txt").write_text("half")
            raise error
        assert names_in(tmp_path) == []

    def test_after_an_error_what_was_there_is_as_before(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("old")
        with suppress(ValueError), staged_folder(tmp_path, overwrite=True) as staging:
            (staging / "a.txt").write_text("half")
            raise ValueError
        assert names_in(tmp_path) == ["a.txt"]
        assert (tmp_path / "a.txt").read_text() == "old"

    def test_an_error_names_the_file_as_it_would_be_named_in_the_end(self, tmp_path: Path) -> None:
        with (
            pytest.raises(OutputError, match=f"^{re.escape(str(tmp_path / 'out/a.txt'))}: no space$"),
            staged_folder(tmp_path / "out", overwrite=False) as staging,
        ):
            raise OutputError(f"{staging / 'a.txt'}: no space")

    def test_a_folder_that_holds_files_is_refused_with_their_names(self, tmp_path: Path) -> None:
        for name in "dcba":
            (tmp_path / name).touch()
        with (
            pytest.raises(
                OutputError, match=r"folder is not empty: it contains a, b, c and more; choose another$"
            ),
            staged_folder(tmp_path, overwrite=False),
        ):
            raise AssertionError("nothing may be made")

    def test_with_overwrite_files_of_the_same_names_are_replaced_and_others_stay(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a.txt").write_text("old")
        (tmp_path / "mine.txt").write_text("mine")
        with staged_folder(tmp_path, overwrite=True) as staging:
            (staging / "a.txt").write_text("new")
        assert (tmp_path / "a.txt").read_text() == "new"
        assert (tmp_path / "mine.txt").read_text() == "mine"
        assert names_in(tmp_path) == ["a.txt", "mine.txt"]

    def test_hidden_files_do_not_count(self, tmp_path: Path) -> None:
        (tmp_path / ".DS_Store").touch()
        with staged_folder(tmp_path, overwrite=False) as staging:
            (staging / "a").touch()
        assert names_in(tmp_path) == [".DS_Store", "a"]

    def test_a_file_in_its_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with (
            pytest.raises(OutputError, match="out: is a file, not a folder"),
            staged_folder(tmp_path / "out", overwrite=True),
        ):
            raise AssertionError("nothing may be made")

    @pytest.mark.skipif(os.name == "nt", reason="Windows has different file locks")
    def test_two_programs_do_not_mix_their_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        with staged_folder(folder, overwrite=False) as staging:
            (staging / "a.txt").write_text("first")
            for overwrite in (False, True):
                with (
                    pytest.raises(OutputError, match="out: another program is writing to this folder"),
                    staged_folder(folder, overwrite=overwrite),
                ):
                    raise AssertionError("nothing may be made")
        assert names_in(folder) == ["a.txt"]

    def test_a_folder_for_new_files(self, tmp_path: Path) -> None:
        check_staged_folder(tmp_path, overwrite=False)
        check_staged_folder(tmp_path / "missing", overwrite=False)
        (tmp_path / "a").touch()
        check_staged_folder(tmp_path, overwrite=True)
        with pytest.raises(OutputError, match="folder is not empty: it contains a; choose another"):
            check_staged_folder(tmp_path, overwrite=False)

    @pytest.mark.skipif(os.name != "posix", reason="cannot ask for processes on Windows")
    def test_what_a_killed_process_left_is_removed(self, tmp_path: Path) -> None:
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        (tmp_path / f".fer-edge-{process.pid}-abc").mkdir()
        (tmp_path / f".fer-edge-{os.getppid()}-abc").mkdir()
        with staged_folder(tmp_path, overwrite=False) as staging:
            (staging / "a").touch()
        assert names_in(tmp_path) == [f".fer-edge-{os.getppid()}-abc", "a"]
