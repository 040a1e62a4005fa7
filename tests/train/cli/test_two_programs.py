"""Two commands that write to the same folder or file at the same time."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fer_edge.runtime.locks import LOCK_FILE, lock_file, lock_folder
from fer_train.cli.main import run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no locks on Windows")

REFUSED = "another program is writing to this folder; wait until it ends, or choose another folder"


@pytest.mark.slow
def test_a_training_keeps_others_out_of_its_run(
    data: Path, tmp_path: Path, runs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    process = runs.start(data, "--out", str(folder), *runs.small, "--epochs", "5000")
    runs.wait_for(folder / "config.json", process)
    before = (folder / "config.json").read_bytes()
    small = [*runs.small, "--epochs", "1"]
    for options in (small, [*small, "--overwrite"], ["--resume"]):
        assert run(["fit", str(data), "--out", str(folder), *options]) == 1
        assert capsys.readouterr().err == f"Error: {folder}: {REFUSED}\n"
    assert (folder / "config.json").read_bytes() == before
    runs.wait_for(folder / "history.csv", process)
    process.kill()
    process.communicate()
    assert json.loads(before)["options"]["epochs"] == 5000


@pytest.mark.parametrize("options", [[], ["--overwrite"], ["--resume"]])
def test_a_training_that_still_reads_its_data_keeps_others_out(
    options: list[str], small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with lock_folder(folder):
        assert run(["fit", str(small_csv), "--out", str(folder), *options]) == 1
    assert capsys.readouterr().err == f"Error: {folder}: {REFUSED}\n"
    assert not folder.exists()


def test_a_training_that_cannot_start_leaves_no_folder(tmp_path: Path) -> None:
    for options in ([], ["--resume"]):
        assert run(["fit", str(tmp_path / "missing"), "--out", str(tmp_path / "deep/run"), *options]) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_killed_before_it_wrote_anything_does_not_occupy_the_folder(
    data: Path, tmp_path: Path, runs: Any
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / LOCK_FILE).touch()
    assert run(["fit", str(data), "--out", str(folder), *runs.small, "--epochs", "1"]) == 0
    assert {path.name for path in folder.iterdir()} == runs.files


def test_other_commands_keep_others_out_of_their_folders(
    small_csv: Path, tmp_path: Path, portrait_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("smile", "other"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        shutil.copy(portrait_path, tmp_path / "photos" / label)
    out = tmp_path / "out"
    commands = [
        ["crop", str(tmp_path / "photos"), "--out", str(out)],
        ["evaluate", "default", str(small_csv), "--out", str(out)],
        ["inspect", str(small_csv), "--plot", str(out)],
    ]
    for command in commands:
        with lock_folder(out):
            for options in ([], ["--overwrite"]):
                assert run([*command, *options]) == 1
                assert REFUSED in capsys.readouterr().err
        assert not out.exists()
        assert run(command) == 0
        assert LOCK_FILE not in {path.name for path in out.iterdir()}
        shutil.rmtree(out)


def test_soft_labels_keep_others_from_their_file(
    small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out/soft.npz"
    out.parent.mkdir()
    command = ["soft-labels", str(small_csv), "--teacher", "default", "--out", str(out)]
    with lock_file(out):
        for options in ([], ["--overwrite"]):
            assert run([*command, *options]) == 1
            assert "soft.npz: another program is writing to this file" in capsys.readouterr().err
    assert run(command) == 0
    assert [path.name for path in out.parent.iterdir()] == ["soft.npz"]
