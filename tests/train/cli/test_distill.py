"""From the teachers' answers for views to a network trained on them, with the command line."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, read_spec
from fer_train.cli.main import run
from fer_train.objectives.view_answers import read_view_answers, write_view_answers

Rows = list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def table(
    tmp_path_factory: pytest.TempPathFactory, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]
) -> Path:
    path = tmp_path_factory.mktemp("data") / "fer2013.csv"
    path.write_text(csv_text(make_rows(70, 21)))
    return path


@pytest.fixture(scope="module")
def answers(table: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    out = tmp_path_factory.mktemp("answers") / "answers.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_EDGE_CACHE", str(cache))
        command = ["soft-labels", str(table), "--teacher", "default", "--views", "4", "--out", str(out)]
        assert run(command) == 0
    return out


def small(*changes: str, epochs: int = 3) -> list[str]:
    options = ["--arch", "mini-resnet", "--recipe", "distill", "--epochs", str(epochs), "--batch-size", "16"]
    return [*options, *changes]


@pytest.fixture(scope="module")
def whole(table: Path, answers: Path, tmp_path_factory: pytest.TempPathFactory, runs: Any) -> Path:
    """Return an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    process = runs.start(table, "--out", str(folder), "--teacher", str(answers), *small())
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return folder


class TestSoftLabelsOfViews:
    def test_three_quarters_of_the_views_are_strong(self, answers: Path) -> None:
        read = read_view_answers(answers, FER2013_LABELS)
        assert (read.settings.strong_count, read.settings.mild_count) == (3, 1)
        assert read.probabilities.shape == (70, 4, 7)
        assert read.origin == f"{find_model().spec.name} {find_model().sha256[:8]}"
        assert not np.array_equal(read.get_probabilities(0), read.get_probabilities(1))

    def test_photos_are_left_out_where_a_temperature_can_be_fitted_on_them(
        self,
        tmp_path: Path,
        make_rows: Callable[..., Rows],
        csv_text: Callable[[Rows], str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("fer_train.data.splits.MIN_CALIBRATION_FACES", 2)
        table, out = tmp_path / "faces.csv", tmp_path / "answers.npz"
        table.write_text(csv_text(make_rows(140, 70)))
        command = ["soft-labels", str(table), "--teacher", "default", "--views", "1", "--out", str(out)]
        assert run(command) == 0
        assert "135 faces, 1 view of each" in capsys.readouterr().out  # of 140

    def test_images_that_show_nothing_are_refused(
        self, tmp_path: Path, csv_text: Callable[[Rows], str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        table, out = tmp_path / "faces.csv", tmp_path / "answers.npz"
        table.write_text(csv_text([(0, " ".join(["7"] * 2304), "Training")] * 3))
        command = ["soft-labels", str(table), "--teacher", "default", "--views", "1", "--out", str(out)]
        assert run(command) == 1
        assert "all 3 training images are blank" in capsys.readouterr().err
        assert not out.exists()

    @pytest.mark.slow
    def test_a_network_learns_from_them_and_is_calibrated_on_the_others(
        self,
        tmp_path: Path,
        make_rows: Callable[..., Rows],
        csv_text: Callable[[Rows], str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("fer_train.data.splits.MIN_CALIBRATION_FACES", 2)
        table, out = tmp_path / "faces.csv", tmp_path / "answers.npz"
        table.write_text(csv_text(make_rows(140, 70)))
        command = ["soft-labels", str(table), "--teacher", "default", "--views", "2", "--out", str(out)]
        assert run(command) == 0
        learned = ["fit", str(table), "--teacher", str(out), "--out", str(tmp_path / "run")]
        assert run([*learned, *small(epochs=1)]) == 0
        said = capsys.readouterr().err
        assert "135 faces" in said
        assert "5 training faces have no view answers" in said
        assert "5 of them are used to fit the temperature" in said
        provenance = read_spec(tmp_path / "run" / "spec.json").provenance
        assert provenance["temperature"] > 0
        assert provenance["teachers"] == f"answers.npz ({find_model().spec.name} {find_model().sha256[:8]})"
        assert provenance["recipe"] == "distill"


@pytest.mark.slow
class TestResume:
    def test_killed_and_resumed_it_ends_with_the_same_weights(
        self, whole: Path, table: Path, answers: Path, tmp_path: Path, runs: Any
    ) -> None:
        folder = tmp_path / "killed"
        process = runs.start(table, "--out", str(folder), "--teacher", str(answers), *small())
        runs.wait_for(folder / "checkpoint.npz", process)
        process.kill()
        process.communicate()
        assert run(["fit", str(table), "--out", str(folder), "--resume"]) == 0
        before, after = runs.read_weights(whole), runs.read_weights(folder)
        assert all(np.array_equal(before[name], after[name]) for name in before)

    def test_interrupted_it_ends_at_once_and_leaves_what_it_has(
        self, table: Path, answers: Path, tmp_path: Path, runs: Any
    ) -> None:
        folder = tmp_path / "run"
        process = runs.start(table, "--out", str(folder), "--teacher", str(answers), *small(epochs=5000))
        runs.wait_for(folder / "history.csv", process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 130, errors
        assert (folder / "model.keras").exists()

    def test_other_answers_of_the_same_name_contradict_it(
        self, table: Path, answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        mine, folder = tmp_path / "mine.npz", tmp_path / "run"
        same = read_view_answers(answers, FER2013_LABELS)
        write_view_answers(mine, same)
        begun = ["fit", str(table), "--teacher", str(mine), "--out", str(folder), "--stop-after", "0.0001"]
        assert run([*begun, *small()]) == 0
        write_view_answers(mine, replace(same, probabilities=same.probabilities[:, ::-1]))
        capsys.readouterr()
        assert run(["fit", str(table), "--resume", "--out", str(folder)]) == 2
        assert "the teachers' files have changed" in capsys.readouterr().err
        assert json.loads((folder / "config.json").read_text())["options"]["recipe"] == "distill"


class TestRefusals:
    """One-line errors before anything is written."""

    def refuse(
        self, capsys: pytest.CaptureFixture[str], data: Path, folder: Path, *options: str, status: int = 2
    ) -> str:
        assert run(["fit", str(data), "--out", str(folder), *options]) == status
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert not folder.exists()
        return said

    def test_without_answers(self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "view answers" in self.refuse(capsys, table, tmp_path / "run", *small())
        teacher = ("--teacher", "default")
        assert "view answers" in self.refuse(capsys, table, tmp_path / "run", *small(), *teacher)

    def test_by_a_recipe_that_does_not_learn_from_views(
        self, table: Path, answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = ("--recipe", "modern", "--teacher", str(answers))
        assert "use the recipe distill" in self.refuse(capsys, table, tmp_path / "run", *options)

    def test_of_other_data(
        self, answers: Path, small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = (*small(), "--teacher", str(answers))
        said = self.refuse(capsys, small_csv, tmp_path / "run", *options, status=1)
        assert "of the 70 faces with view answers" in said
        assert "are missing in Training; use the data set" in said

    def test_of_a_file_that_is_cut_off(
        self, answers: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cut = tmp_path / "cut.npz"
        cut.write_bytes(answers.read_bytes()[:1000])
        options = (*small(), "--teacher", str(cut))
        assert "cannot read view answers" in self.refuse(capsys, table, tmp_path / "run", *options, status=1)
