from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
import cv2
import numpy as np
import pytest

from fer_edge.models.spec import FER2013_LABELS, read_spec
from fer_train.cli.main import cli, run
from fer_train.training.recipes import RECIPES

RUN_FILES = {
    "model.keras", "spec.json", "config.json", "history.csv", "curves.png", "report.json", "confusion.png",
    "checkpoint.npz", "tensorboard",
}  # fmt: skip
SMALL = ["--arch", "mini-resnet", "--recipe", "paper", "--epochs", "3", "--batch-size", "16", "--limit", "64"]

Rows = list[tuple[int, str, str]]


@pytest.fixture(scope="session")
def data(
    fer2013_path: Path | None,
    tmp_path_factory: pytest.TempPathFactory,
    make_rows: Callable[..., Rows],
    csv_text: Callable[[Rows], str],
) -> Path:
    """FER-2013 where it is there, otherwise a small table in its form."""
    if fer2013_path is not None:
        return fer2013_path
    path = tmp_path_factory.mktemp("data") / "fer2013.csv"
    path.write_text(csv_text(make_rows(140, 70)))
    return path


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A run that went through without an interruption."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    process = fit(data, "--out", str(folder), *SMALL, cache=cache)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="session")
def folded(data: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A run that is measured on a fold of Training."""
    folder = tmp_path_factory.mktemp("runs") / "folded"
    process = fit(data, "--out", str(folder), *SMALL, "--fold", "2/4", "--mixup", "0.2", cache=cache)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "faces of Training, fold 2 of 4" in output
    return folder


def fit(data: Path, *options: str, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fer_train", "fit", str(data), *options],
        env={**os.environ, "FER_EDGE_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_there(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)
    assert path.exists(), process.communicate()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "checkpoint.npz") as archive:
        return {name: archive[name] for name in archive.files if name != "history"}


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
class TestRun:
    def test_it_holds_every_file(self, trained: Path) -> None:
        assert {path.name for path in trained.iterdir()} == RUN_FILES
        for name in ("curves.png", "confusion.png"):
            assert cv2.imread(str(trained / name)) is not None

    def test_the_report_is_as_documented(self, trained: Path) -> None:
        report = json.loads((trained / "report.json").read_text())
        assert list(report) == [
            "model", "sha256", "split", "samples", "accuracy", "mean_class_accuracy", "loss", "per_class",
            "confusion", "calibration",
        ]  # fmt: skip
        assert (report["split"], report["samples"]) == ("PublicTest", 64)
        assert report["sha256"] == digest(trained / "model.keras")
        assert report["confusion"]["labels"] == list(FER2013_LABELS)
        assert sum(map(sum, report["confusion"]["counts"])) == 64
        assert set(report["per_class"]["happy"]) == {"precision", "recall", "f1", "support"}
        assert 0 <= report["calibration"]["ece"] <= 1

    def test_the_history_has_a_row_for_each_epoch(self, trained: Path) -> None:
        rows = rows_of(trained)
        assert [row["epoch"] for row in rows] == ["1", "2", "3"]
        assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_s"} <= set(
            rows[0]
        )
        assert all(0 <= float(row["val_accuracy"]) <= 1 for row in rows)

    def test_the_contract_says_where_the_weights_come_from(self, trained: Path) -> None:
        spec = read_spec(trained / "spec.json")
        report = json.loads((trained / "report.json").read_text())
        assert (spec.name, spec.variant, spec.labels) == ("mini-resnet", "keras", FER2013_LABELS)
        assert spec.accuracy["PublicTest"]["accuracy"] == report["accuracy"]
        assert spec.provenance["epochs"] == 3
        assert "research-only" in spec.provenance["licence"]
        assert len(spec.provenance["data_sha256"]) == 64

    def test_the_configuration_says_how_to_repeat_it(self, trained: Path, data: Path) -> None:
        config = json.loads((trained / "config.json").read_text())
        assert config["data"] == str(data.absolute())
        assert config["options"]["arch"] == "mini-resnet"
        assert (config["recipe"]["name"], config["recipe"]["batch_size"]) == ("paper", 16)
        assert config["backend"] in config["versions"]

    def test_killed_and_resumed_it_ends_with_the_same_weights(
        self, trained: Path, data: Path, tmp_path: Path, cache: Path
    ) -> None:
        folder = tmp_path / "killed"
        process = fit(data, "--out", str(folder), *SMALL, cache=cache)
        until_there(folder / "checkpoint.npz", process)
        process.kill()
        process.communicate()
        resumed = fit(data, "--out", str(folder), "--resume", cache=cache)
        output, errors = resumed.communicate(timeout=300)
        assert resumed.returncode == 0, errors
        assert "going on after epoch" in errors
        assert "accuracy" in output
        before, after = weights(trained), weights(folder)
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert [row["loss"] for row in rows_of(trained)] == [row["loss"] for row in rows_of(folder)]
        assert {path.name for path in folder.iterdir()} == RUN_FILES

    def test_killed_before_its_first_epoch_it_begins_again(
        self, trained: Path, data: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "run"
        folder.mkdir()
        shutil.copy(trained / "config.json", folder)
        assert run(["fit", str(data), "--out", str(folder), "--resume"]) == 0
        before, after = weights(trained), weights(folder)
        assert all(np.array_equal(before[name], after[name]) for name in before)

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_interrupted_it_leaves_a_run_that_can_be_used(
        self, number: int, status: int, data: Path, tmp_path: Path, cache: Path
    ) -> None:
        folder = tmp_path / "run"
        process = fit(data, "--out", str(folder), *SMALL, "--epochs", "5000", cache=cache)
        until_there(folder / "history.csv", process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == status, (output, errors)
        assert "go on with --resume" in errors
        assert "Traceback" not in errors
        assert {path.name for path in folder.iterdir()} == RUN_FILES
        done = len(rows_of(folder))
        assert f"after {done} of 5000 epochs" in errors
        assert read_spec(folder / "spec.json").provenance["epochs"] == done

    def test_slices_of_time_end_between_epochs(
        self, trained: Path, data: Path, tmp_path: Path, cache: Path
    ) -> None:
        folder = tmp_path / "run"
        process = fit(data, "--out", str(folder), *SMALL, "--stop-after", "0.0001", cache=cache)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert "Stopped after 1 of 3 epochs" in output
        assert rows_of(folder)[0]["loss"] == rows_of(trained)[0]["loss"]

    def test_evaluation_repeats_the_report(
        self, trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        limited = limited_copy(data, tmp_path / "limited.csv")
        reports = []
        for name, model in (("a", trained), ("b", trained / "model.keras")):
            assert run(["evaluate", str(model), str(limited), "--out", str(tmp_path / name)]) == 0
            reports.append(json.loads((tmp_path / name / "report.json").read_text()))
            assert (tmp_path / name / "confusion.png").exists()
        own = json.loads((trained / "report.json").read_text())
        for report in reports:
            assert {**report, "model": ""} == {**own, "model": ""}
        assert "mean of the classes" in capsys.readouterr().out
        assert run(["evaluate", str(trained), str(limited), "--out", str(tmp_path / "a")]) == 1
        assert "it is there already; replace it with --overwrite" in capsys.readouterr().err
        assert run(["evaluate", str(trained), str(limited), "--split", "PrivateTest"]) == 1
        assert "expected the split PrivateTest" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "status", "says"),
        [
            ([], 1, "go on with it by --resume, replace it with --overwrite"),
            (["--resume", "--epochs", "4"], 2, "--epochs 3), got --epochs 4"),
            (["--resume", "--arch", "bn-cnn"], 2, "--arch mini-resnet), got --arch bn-cnn"),
            (["--resume", "--recipe", "modern"], 2, "--recipe paper), got --recipe modern"),
            (["--resume", "--seed", "1"], 2, "--seed 0), got --seed 1"),
            (["--resume", "--class-weights", "balanced"], 2, "--class-weights none"),
            (["--resume", "--fold", "1/5"], 2, "without --fold), got --fold 1/5"),
            (["--resume", "--mixup", "0.2"], 2, "--mixup 0.0), got --mixup 0.2"),
            (["--resume", "--overwrite"], 2, "got both"),
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
        before = digest(trained / "checkpoint.npz")
        assert run(["fit", str(data), "--out", str(trained), *options]) == status
        assert says in capsys.readouterr().err
        assert digest(trained / "checkpoint.npz") == before

    def test_other_data_contradict_it_too(
        self, trained: Path, small_csv: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["fit", str(small_csv), "--out", str(trained), "--resume"]) == 2
        assert "expected the data the run was started with" in capsys.readouterr().err

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
        self, trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "run"
        shutil.copytree(trained, folder)
        (folder / "model.keras").unlink()
        assert run(["fit", str(data), "--out", str(folder), "--resume", "--epochs", "3"]) == 0
        assert {path.name for path in folder.iterdir()} == RUN_FILES
        assert rows_of(folder) == rows_of(trained)


@pytest.mark.slow
class TestFold:
    def test_the_run_is_about_the_fold(self, folded: Path) -> None:
        report = json.loads((folded / "report.json").read_text())
        assert report["split"] == "Training, fold 2 of 4"
        assert 0 < report["samples"] <= 64
        spec = read_spec(folded / "spec.json")
        assert list(spec.accuracy) == ["Training, fold 2 of 4"]
        assert (spec.provenance["fold"], spec.provenance["mixup"]) == ("2/4", 0.2)
        assert all(0 <= float(row["val_accuracy"]) <= 1 for row in rows_of(folded))
        options = json.loads((folded / "config.json").read_text())["options"]
        assert (options["fold"], options["mixup"]) == ("2/4", 0.2)

    def test_it_is_resumed_with_its_fold(
        self, folded: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "run"
        shutil.copytree(folded, folder)
        (folder / "report.json").unlink()
        assert run(["fit", str(data), "--out", str(folder), "--resume", "--fold", "2/4"]) == 0
        report, before = (json.loads((path / "report.json").read_text()) for path in (folder, folded))
        assert {**report, "model": "", "sha256": ""} == {**before, "model": "", "sha256": ""}
        capsys.readouterr()
        assert run(["fit", str(data), "--out", str(folder), "--resume", "--fold", "1/4"]) == 2
        assert "(--fold 2/4), got --fold 1/4" in capsys.readouterr().err


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
        "options": options, "recipe": asdict(RECIPES["paper"]), "data": "x", "data_sha256": "", "backend": "x"
    }  # fmt: skip
    changed = [] if change is None else {k: v for k, v in {**whole, **change}.items() if v is not None}
    (folder / "config.json").write_text(json.dumps(changed))
    assert run(["fit", str(small_csv), "--out", str(folder), "--resume"]) == 1
    errors = capsys.readouterr().err
    assert "expected a run of fer-train to resume, cannot read its config.json" in errors
    assert errors.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_run_of_an_earlier_version_is_held_to_what_it_had(
    tmp_path: Path, small_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    options = {"arch": "mini-resnet", "recipe": "paper", "epochs": 1, "batch_size": 8}
    whole = {
        "options": options, "recipe": asdict(RECIPES["paper"]), "data": "x", "data_sha256": "", "backend": "x"
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(whole))
    assert run(["fit", str(small_csv), "--out", str(folder), "--resume", "--fold", "1/5"]) == 2
    assert "without --fold), got --fold 1/5" in capsys.readouterr().err


@pytest.mark.slow
class TestCalibration:
    OPTIONS = ("--arch", "mini-resnet", "--epochs", "2", "--batch-size", "16")

    @pytest.fixture(autouse=True)
    def _few_are_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fer_train.data.splits._FEWEST", 2)

    @pytest.fixture
    def table(self, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]) -> Path:
        path = tmp_path / "faces.csv"
        path.write_text(csv_text(make_rows(140, 70)))
        return path

    def test_the_temperature_is_in_the_contract_and_in_every_answer(
        self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "run"
        assert run(["fit", str(table), "--out", str(out), *self.OPTIONS]) == 0
        assert "135 faces" in capsys.readouterr().err  # of 140
        temperature = read_spec(out / "spec.json").provenance["temperature"]
        assert temperature == round(temperature, 4) > 0
        assert run(["evaluate", str(out), str(table), "--out", str(tmp_path / "report")]) == 0
        own, theirs = (
            json.loads((folder / "report.json").read_text()) for folder in (out, tmp_path / "report")
        )
        assert theirs["calibration"] == own["calibration"]
        assert theirs["loss"] == own["loss"]

    def test_resumed_it_is_the_same(self, table: Path, tmp_path: Path) -> None:
        for name, slices in (("whole", []), ("sliced", ["--stop-after", "0.0001"])):
            assert run(["fit", str(table), "--out", str(tmp_path / name), *self.OPTIONS, *slices]) == 0
        assert run(["fit", str(table), "--out", str(tmp_path / "sliced"), "--resume"]) == 0
        whole, sliced = (tmp_path / name for name in ("whole", "sliced"))
        assert read_spec(whole / "spec.json").provenance == read_spec(sliced / "spec.json").provenance
        before, after = weights(whole), weights(sliced)
        assert all(np.array_equal(before[name], after[name]) for name in before)

    def test_the_paper_leaves_none_out(self, table: Path, tmp_path: Path) -> None:
        out = tmp_path / "run"
        assert run(["fit", str(table), "--out", str(out), *self.OPTIONS, "--recipe", "paper"]) == 0
        assert "temperature" not in read_spec(out / "spec.json").provenance


def limited_copy(data: Path, path: Path, limit: int = 64) -> Path:
    """The faces that --limit takes, as a table."""
    from fer_train.data.dataset import load_faces
    from fer_train.data.splits import limit_faces

    lines = ["emotion,pixels,Usage"]
    for split in ("Training", "PublicTest"):
        faces = limit_faces(load_faces(data).split(split), limit)
        lines += [
            f"{label},{' '.join(map(str, face.ravel()))},{split}"
            for label, face in zip(faces.labels, faces.pixels, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["fit", "{missing}", "--out", "{out}"], 1, "nothing is there; get fer2013.tar.gz"),
        (["fit", "{data}"], 2, "Missing option '--out'"),
        (
            ["fit", "{data}", "--out", "{out}", "--arch", "vgg"],
            2,
            "'vgg' is not one of 'bn-cnn', 'mini-resnet'",
        ),
        (["fit", "{data}", "--out", "{out}", "--recipe", "best"], 2, "is not one of 'paper', 'modern'"),
        (["fit", "{data}", "--out", "{out}", "--epochs", "0"], 2, "--epochs"),
        (
            ["fit", "{data}", "--out", "{out}", "--resume"],
            1,
            "to resume, found none; start it without --resume",
        ),
        (["fit", "{data}", "--out", "{data}"], 1, "expected a run folder that is not there yet"),
        (["fit", "{data}", "--out", "{data}/run"], 1, "expected a folder to write into"),
        (["fit", "{data}", "--out", "{out}", "--votes", "{missing}"], 1, "the votes cannot be read"),
        (
            ["fit", "{data}", "--out", "{out}", "--recipe", "paper", "--votes", "{votes}"],
            2,
            "paper makes no use of",
        ),
        (["fit", "{data}", "--out", "{out}", "--votes", "{votes}"], 1, "expected votes for the rows"),
        (["fit", "{data}", "--out", "{out}", "--labels", "ferplus"], 2, "expected --votes"),
        (["fit", "{data}", "--out", "{out}", "--fold", "6/5"], 2, "K from 1 to N, got '6/5'"),
        (["fit", "{data}", "--out", "{out}", "--fold", "first"], 2, "expected --fold K/N"),
        (["fit", "{data}", "--out", "{out}", "--fold", "1/100"], 1, "at least 100 photos in Training"),
        (["fit", "{data}", "--out", "{out}", "--mixup", "-1"], 2, "--mixup"),
        (["fit", "{data}", "--out", "{out}", "--mixup", "nan"], 2, "--mixup"),
        (["fit", "{data}", "--out", "{out}", "--stop-after", "nan"], 2, "--stop-after"),
        (
            ["fit", "{data}", "--out", "{out}", "--teacher", "{missing}"],
            1,
            "or a bundled model (default), got",
        ),
        (["evaluate", "{missing}", "{data}"], 1, "expected a run folder, a .keras or a .tflite file"),
        (["evaluate", "{data}", "{data}"], 1, "expected a run folder, a .keras or a .tflite file"),
        (["evaluate", "{missing}.tflite", "{data}"], 1, "expected a .tflite file"),
        (["inspect", "{missing}"], 1, "nothing is there"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(
    arguments: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    small_csv: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text(
        "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n1,0,0,0,0,0,0,0,0,0\n"
    )
    places = {"data": small_csv, "missing": tmp_path / "missing", "out": tmp_path / "out", "votes": votes}
    assert run([argument.format(**places) for argument in arguments]) == status
    captured = capsys.readouterr()
    assert says in captured.err
    assert "Traceback" not in captured.err
    if status == 1:
        assert captured.err.strip().count("\n") <= 1  # a line of progress and the error
    assert not (tmp_path / "out").exists()


def test_inspect_counts_what_there_is(
    tmp_path: Path,
    make_rows: Callable[..., Rows],
    csv_text: Callable[[Rows], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = make_rows(14, 7)
    blank = " ".join(["5"] * 2304)
    rows += [(0, blank, "Training"), (3, rows[0][1], "Training"), (1, rows[1][1], "PublicTest")]
    path = tmp_path / "fer2013.csv"
    path.write_text(csv_text(rows))
    assert run(["inspect", str(path), "--plot", str(tmp_path / "plots")]) == 0
    output = capsys.readouterr().out
    table = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line.split()}
    assert table["angry"] == ["3", "1", "4", "16.7", "%"]
    assert table["all"] == ["16", "8", "24"]
    assert table["1"] == ["blank", "pictures,", "left", "out", "of", "training"]
    assert "2 pictures that repeat an earlier one" in output
    assert "2 pictures that another split has, too" in output
    assert "2 pictures that occur with different labels" in output
    assert "22 different photos" in output
    assert "2 pictures whose photo another split has, too" in output
    assert "2 pictures whose photo occurs with different labels" in output
    for name in ("samples.png", "distribution.png"):
        assert cv2.imread(str(tmp_path / "plots" / name)) is not None


def test_inspect_knows_a_photo_again(
    tmp_path: Path,
    make_rows: Callable[..., Rows],
    csv_text: Callable[[Rows], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = make_rows(14, 7)
    mirrored = np.array(rows[3][1].split(), int).reshape(48, 48)[:, ::-1]
    rows.append((5, " ".join(map(str, mirrored.ravel())), "PrivateTest"))
    path = tmp_path / "fer2013.csv"
    path.write_text(csv_text(rows))
    assert run(["inspect", str(path)]) == 0
    output = capsys.readouterr().out
    assert "0 pictures that repeat an earlier one" in output
    assert "21 different photos" in output
    assert "2 pictures whose photo another split has, too" in output
    assert "2 pictures whose photo occurs with different labels" in output


def test_every_command_and_option_is_explained() -> None:
    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, f"{name} {parameter.name}"


def test_help_needs_no_keras() -> None:
    program = (
        "import sys; from fer_train.cli.main import run; run(['fit', '--help']);"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'matplotlib', 'pandas')))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False).returncode
        == 0
    )


def test_a_tflite_is_measured_without_keras(small_csv: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from fer_train.cli.main import run; from fer_edge.models.find_model import find_model;"
        f"status = run(['evaluate', str(find_model().path), {str(small_csv)!r}]);"
        "sys.exit(status or any(name in sys.modules for name in ('keras', 'tensorflow', 'matplotlib', 'pandas')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "14 faces of PublicTest" in done.stdout


@pytest.mark.parametrize(
    "command", [["fit", "nowhere", "--out", "run"], ["evaluate", "run", "nowhere"], ["archs"]]
)
def test_without_the_extra_it_is_named_before_anything_else(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError('no keras', name='keras')")
    done = subprocess.run(
        [sys.executable, "-m", "fer_train", *command],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: TensorFlow and Keras is not installed; install it with: pip install 'fer-edge[train]'"
    )


def test_archs_lists_what_each_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["archs"]) == 0
    output = capsys.readouterr().out
    assert "14,428,999" in output
    assert "2018 reference network" in output
