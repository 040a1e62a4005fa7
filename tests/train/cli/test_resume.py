from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.models.spec import read_spec
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.cli.main import run
from fer_train.training.recipes import RECIPES
from fer_train.training.run_config import dump_recipe

Rows = list[tuple[int, str, str]]


@pytest.mark.slow
class TestResume:
    def test_killed_and_resumed_it_ends_with_the_same_weights(
        self, trained: Path, data: Path, tmp_path: Path, runs: Any
    ) -> None:
        folder = tmp_path / "killed"
        process = runs.start(data, "--out", str(folder), *runs.small)
        runs.wait_for(folder / "checkpoint.npz", process)
        process.kill()
        process.communicate()
        resumed = runs.start(data, "--out", str(folder), "--resume")
        output, errors = resumed.communicate(timeout=300)
        assert resumed.returncode == 0, errors
        assert "continuing after epoch" in errors
        assert "accuracy" in output
        before, after = runs.read_weights(trained), runs.read_weights(folder)
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert [row["loss"] for row in runs.read_history(trained)] == [
            row["loss"] for row in runs.read_history(folder)
        ]
        assert {path.name for path in folder.iterdir()} == runs.files

    def test_killed_before_its_first_epoch_it_begins_again(
        self, trained: Path, data: Path, tmp_path: Path, runs: Any
    ) -> None:
        folder = tmp_path / "run"
        folder.mkdir()
        shutil.copy(trained / "config.json", folder)
        assert run(["fit", str(data), "--out", str(folder), "--resume"]) == 0
        before, after = runs.read_weights(trained), runs.read_weights(folder)
        assert all(np.array_equal(before[name], after[name]) for name in before)

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_interrupted_it_leaves_a_run_that_can_be_used(
        self, number: int, status: int, data: Path, tmp_path: Path, runs: Any
    ) -> None:
        folder = tmp_path / "run"
        process = runs.start(data, "--out", str(folder), *runs.small, "--epochs", "5000")
        runs.wait_for(folder / "history.csv", process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == status, (output, errors)
        assert "continue with --resume" in errors
        assert "Traceback" not in errors
        assert {path.name for path in folder.iterdir()} == runs.files
        done = len(runs.read_history(folder))
        assert f"after {done} of 5000 epochs" in errors
        assert read_spec(folder / "spec.json").provenance["epochs"] == done

    def test_slices_of_time_end_between_epochs(
        self, trained: Path, data: Path, tmp_path: Path, runs: Any
    ) -> None:
        folder = tmp_path / "run"
        process = runs.start(data, "--out", str(folder), *runs.small, "--stop-after", "0.0001")
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert "Stopped after 1 of 3 epochs" in output
        assert runs.read_history(folder)[0]["loss"] == runs.read_history(trained)[0]["loss"]

    @pytest.mark.parametrize(
        ("options", "status", "says"),
        [
            ([], 1, "resume the run, overwrite it, or choose another folder"),
            (["--resume", "--epochs", "4"], 2, "with epochs 3, not with epochs 4"),
            (["--resume", "--arch", "bn-cnn"], 2, "with arch mini-resnet, not with arch bn-cnn"),
            (["--resume", "--recipe", "modern"], 2, "with recipe paper, not with recipe modern"),
            (["--resume", "--seed", "1"], 2, "with seed 0, not with seed 1"),
            (
                ["--resume", "--class-weights", "balanced"],
                2,
                "with class-weights none, not with class-weights balanced; leave out --class-weights",
            ),
            (["--resume", "--fold", "1/5"], 2, "without fold, not with fold 1/5"),
            (["--resume", "--mixup", "0.2"], 2, "with mixup 0.0, not with mixup 0.2"),
            (["--resume", "--overwrite"], 2, "contradict each other"),
        ],
    )
    def test_an_earlier_run_is_neither_lost_nor_contradicted(
        self,
        options: list[str],
        status: int,
        says: str,
        trained: Path,
        data: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        before = sha256_of_file(trained / "checkpoint.npz")
        assert run(["fit", str(data), "--out", str(trained), *options]) == status
        assert says in capsys.readouterr().err
        assert sha256_of_file(trained / "checkpoint.npz") == before

    def test_other_data_contradict_it_too(
        self, trained: Path, small_csv: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["fit", str(small_csv), "--out", str(trained), "--resume"]) == 2
        assert "the data differs from the data the run was started with" in capsys.readouterr().err

    def test_a_checkpoint_of_another_architecture_is_refused(
        self, trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "run"
        shutil.copytree(trained, folder)
        config = json.loads((folder / "config.json").read_text())
        config["options"]["arch"] = "bn-cnn"
        (folder / "config.json").write_text(json.dumps(config))
        assert run(["fit", str(data), "--out", str(folder), "--resume"]) == 1
        assert "another network or recipe" in capsys.readouterr().err

    def test_a_complete_run_is_resumed_at_no_cost(
        self, trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: Any
    ) -> None:
        folder = tmp_path / "run"
        shutil.copytree(trained, folder)
        (folder / "model.keras").unlink()
        assert run(["fit", str(data), "--out", str(folder), "--resume", "--epochs", "3"]) == 0
        assert {path.name for path in folder.iterdir()} == runs.files
        assert runs.read_history(folder) == runs.read_history(trained)


@pytest.mark.parametrize(
    "change",
    [{"recipe": {"name": "paper", "speed": 1}}, {"recipe": None}, {"backend": None}, {"options": {"arch": "x"}}, None],
    ids=["another recipe", "no recipe", "no backend", "no options", "a list"],
)  # fmt: skip
def test_a_configuration_that_is_none_is_refused(
    change: dict[str, object] | None, small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    options = {"arch": "mini-resnet", "recipe": "paper", "epochs": 1, "batch_size": 8}
    whole = {
        "options": options, "recipe": dump_recipe(RECIPES["paper"]), "data": "x", "data_sha256": "", "backend": "x"
    }  # fmt: skip
    changed = [] if change is None else {k: v for k, v in {**whole, **change}.items() if v is not None}
    (folder / "config.json").write_text(json.dumps(changed))
    assert run(["fit", str(small_csv), "--out", str(folder), "--resume"]) == 1
    errors = capsys.readouterr().err
    assert "config.json: cannot read the configuration of this run" in errors
    assert errors.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_run_without_its_checkpoint_does_not_silently_start_over(
    tmp_path: Path, small_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    options = {"arch": "mini-resnet", "recipe": "paper", "epochs": 1, "batch_size": 8}
    whole = {
        "options": options, "recipe": dump_recipe(RECIPES["paper"]), "data": "x", "data_sha256": "", "backend": "x"
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(whole))
    (folder / "history.csv").write_text("epoch\n1\n")
    assert run(["fit", str(small_csv), "--out", str(folder), "--resume"]) == 1
    assert "checkpoint.npz: the checkpoint of the finished epochs is missing" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {"config.json", "history.csv"}


def test_a_run_of_an_earlier_version_is_held_to_what_it_had(
    tmp_path: Path, small_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    options = {"arch": "mini-resnet", "recipe": "paper", "epochs": 1, "batch_size": 8}
    whole = {
        "options": options, "recipe": dump_recipe(RECIPES["paper"]), "data": "x", "data_sha256": "", "backend": "x"
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(whole))
    assert run(["fit", str(small_csv), "--out", str(folder), "--resume", "--fold", "1/5"]) == 2
    assert "without fold, not with fold 1/5" in capsys.readouterr().err
