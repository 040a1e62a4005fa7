from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_train.cli.main import cli, run
from fer_train.data.dataset import load_faces


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["fit", "{missing}", "--out", "{out}"], 1, "does not exist; specify FER-2013"),
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
            "no run to resume, as config.json does not exist",
        ),
        (["fit", "{data}", "--out", "{data}"], 1, "is a file, not a folder; choose another name"),
        (
            ["fit", "{data}", "--out", "{data}/run"],
            1,
            "cannot write: Not a directory; choose another location",
        ),
        (["fit", "{data}", "--out", "{out}", "--votes", "{missing}"], 1, "cannot read the votes"),
        (
            ["fit", "{data}", "--out", "{out}", "--recipe", "paper", "--votes", "{votes}"],
            2,
            "paper does not use --votes",
        ),
        (
            ["fit", "{data}", "--out", "{out}", "--votes", "{votes}"],
            1,
            "do not match the rows of the data set",
        ),
        (["fit", "{data}", "--out", "{out}", "--labels", "ferplus"], 2, "add --votes"),
        (["fit", "{data}", "--out", "{out}", "--fold", "6/5"], 2, "K from 1 to N, got '6/5'"),
        (["fit", "{data}", "--out", "{out}", "--fold", "first"], 2, "expected a fold K/N"),
        (
            ["fit", "{data}", "--out", "{out}", "--fold", "1/100"],
            1,
            "at least 100 different photos in Training",
        ),
        (["fit", "{data}", "--out", "{out}", "--mixup", "-1"], 2, "--mixup"),
        (["fit", "{data}", "--out", "{out}", "--mixup", "nan"], 2, "--mixup"),
        (["fit", "{data}", "--out", "{out}", "--stop-after", "nan"], 2, "--stop-after"),
        (
            ["fit", "{data}", "--out", "{out}", "--teacher", "{missing}"],
            1,
            "or a bundled model (default, accurate), got",
        ),
        (
            ["fit", "{data}", "--out", "{out}", "--from", "accurate", "--arch", "mini-resnet"],
            2,
            "requires --arch deep-resnet, not mini-resnet",
        ),
        (
            ["fit", "{data}", "--out", "{out}", "--from", "{missing}"],
            1,
            "or a bundled model (default, accurate), got",
        ),
        (
            ["fit", "{data}", "--out", "{out}", "--from", "default", "--arch", "bn-cnn"],
            2,
            "requires --arch mini-resnet, not bn-cnn",
        ),
        (
            ["fit", "{data}", "--out", "{out}", "--from", "default", "--recipe", "paper"],
            2,
            "leave --recipe out",
        ),
        (["fit", "{data}", "--out", "{out}", "--recipe", "fine-tune"], 2, "choose one with --from"),
        (["fit", "{data}", "--out", "{out}", "--val-share", "0"], 2, "--val-share"),
        (["fit", "{data}", "--out", "{out}", "--val-share", "0.2"], 2, "already has splits"),
        (["crop", "{missing}", "--out", "{out}"], 1, "does not exist"),
        (["crop", "{data}", "--out", "{out}"], 1, "is a file; specify a folder"),
        (["crop", "{data}", "--out", "{out}", "--detector", "none"], 2, "is not one of"),
        (["evaluate", "{missing}", "{data}"], 1, "expected a run folder, a .keras or a .tflite file"),
        (["evaluate", "{data}", "{data}"], 1, "expected a run folder, a .keras or a .tflite file"),
        (["evaluate", "{missing}.tflite", "{data}"], 1, "use a .tflite file"),
        (["inspect", "{missing}"], 1, "does not exist"),
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
    load_faces(small_csv)  # the cache then has it, and pandas is not needed
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
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
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


@pytest.mark.parametrize(("weight", "says"), [(float("nan"), "are not finite"), (5.0, "are logits")])
def test_a_network_without_probabilities_is_not_evaluated(
    weight: float, says: str, small_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    inputs = keras.Input((48, 48, 1))
    initial = keras.initializers.Constant(weight)
    outputs = keras.layers.Dense(7, kernel_initializer=initial)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    spec = ModelSpec(name="mini-resnet", labels=FER2013_LABELS)
    (tmp_path / "spec.json").write_text(spec.to_json())
    out = tmp_path / "out"
    for command in (
        ["evaluate", str(tmp_path), str(small_csv), "--out", str(out)],
        ["soft-labels", str(small_csv), "--teacher", str(tmp_path), "--out", str(tmp_path / "soft.npz")],
    ):
        assert run(command) == 1
        assert f"model.keras: its outputs {says}" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"fer2013.csv", "model.keras", "spec.json"}
