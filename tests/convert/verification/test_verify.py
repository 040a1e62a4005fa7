"""``fer-convert verify`` and ``attach``, and what neither of them may import."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_convert.tflite.container import network_of
from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec, read_spec

FerConvert = Callable[..., tuple[int, str, str]]


def run_and_list_imports(*arguments: str | Path) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """``fer-convert`` in a process of its own, and the packages that it had imported at its end."""
    code = (
        "import sys\nfrom fer_convert.cli import run\n"
        "status = run(sys.argv[1:])\n"
        "print('IMPORTED', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("IMPORTED")]
    return ran, set(line.split()[1:])


DESKTOP_ONLY = {"tensorflow", "keras", "pandas", "matplotlib", "jax", "torch"}


def test_verify_measures_with_the_runtime_alone(
    converted: Path, data_path: Path, report: dict[str, Any]
) -> None:
    path = converted / "int8.tflite"
    ran, imported = run_and_list_imports("verify", path, "--data", data_path)
    assert ran.returncode == 0, ran.stderr
    assert not imported & DESKTOP_ONLY
    accuracy = f"{100 * report['files']['int8.tflite']['accuracy']:.2f} %"
    assert f"{accuracy} correct on 70 faces of PublicTest (its contract says {accuracy})" in ran.stdout
    assert "ms a face on 1 and 2 threads" in ran.stdout
    for label in FER2013_LABELS:
        assert label in ran.stdout


def test_attach_needs_the_runtime_alone(foreign: Path, run_folder: Path) -> None:
    ran, imported = run_and_list_imports("attach", foreign, "--spec", run_folder / "spec.json")
    assert ran.returncode == 0, ran.stderr
    assert not imported & DESKTOP_ONLY


def test_the_command_itself_imports_little(tmp_path: Path) -> None:
    ran, imported = run_and_list_imports("--help")
    assert ran.returncode == 0
    assert not imported & (DESKTOP_ONLY | {"ai_edge_litert"})


def test_help_explains_every_form_and_option(fer_convert: FerConvert) -> None:
    status, out, _ = fer_convert("--help")
    assert status == 0
    for word in (
        "RUN --out DIR",
        "verify FILE",
        "attach FILE",
        "--max-drop",
        "--samples",
        "--formats",
        "--seed",
    ):
        assert word in out
    for command in ("verify", "attach"):
        assert "--debug" in fer_convert(command, "--help")[1]


@pytest.fixture
def foreign(converted: Path, tmp_path: Path) -> Path:
    """A network without a contract, as it comes from elsewhere."""
    path = tmp_path / "foreign.tflite"
    path.write_bytes(network_of((converted / "int8.tflite").read_bytes()))
    return path


def test_attach_gives_a_foreign_file_its_contract(
    foreign: Path, run_folder: Path, data_path: Path, fer_convert: FerConvert
) -> None:
    assert fer_convert("verify", foreign, "--data", data_path)[0] == 1
    status, out, _ = fer_convert("attach", foreign, "--spec", run_folder / "spec.json")
    assert status == 0
    assert "now carries the contract of tiny (int8)" in out
    assert find_model(foreign).spec.variant == "int8"
    assert fer_convert("verify", foreign, "--data", data_path)[0] == 0


@pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8"])
def test_attach_reads_the_variant_off_the_tensors(
    converted: Path, run_folder: Path, tmp_path: Path, fer_convert: FerConvert, variant: str
) -> None:
    path = tmp_path / "misleading-name.tflite"
    path.write_bytes(network_of((converted / f"{variant}.tflite").read_bytes()))
    assert fer_convert("attach", path, "--spec", run_folder / "spec.json")[0] == 0
    assert read_spec(path).variant == variant
    Classifier(path).close()


def test_attach_takes_the_contract_of_another_file(
    foreign: Path, converted: Path, fer_convert: FerConvert
) -> None:
    assert fer_convert("attach", foreign, "--spec", converted / "float32.tflite")[0] == 0
    spec = read_spec(foreign)
    assert spec.variant == "int8"
    assert spec.accuracy == {}, "measured on the other file"


def test_attach_replaces_a_contract_only_when_told(
    converted: Path, run_folder: Path, tmp_path: Path, spec: ModelSpec, fer_convert: FerConvert
) -> None:
    path = Path(shutil.copy(converted / "int8.tflite", tmp_path / "model.tflite"))
    before = path.read_bytes()
    renamed = tmp_path / "spec.json"
    renamed.write_text(spec.replace(name="renamed").to_json())
    status, _, err = fer_convert("attach", path, "--spec", renamed)
    assert status == 1
    assert "already carries a contract; replace it with --overwrite" in err
    assert path.read_bytes() == before
    assert fer_convert("attach", path, "--spec", renamed, "--overwrite")[0] == 0
    assert read_spec(path).name == "renamed"
    assert b"renamed" in network_of(path.read_bytes()), "the metadata inside is replaced, too"


def test_attach_refuses_a_contract_that_the_tensors_contradict(
    foreign: Path, tmp_path: Path, spec: ModelSpec, fer_convert: FerConvert
) -> None:
    before = foreign.read_bytes()
    wrong = tmp_path / "spec.json"
    wrong.write_text(spec.replace(labels=("yes", "no")).to_json())
    status, _, err = fer_convert("attach", foreign, "--spec", wrong)
    assert status == 1
    assert "its spec names 2 labels" in err
    assert foreign.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.tflite", "spec.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "expected a TFLite model"), (b"not a model at all", "expected a TFLite model")],
)
def test_attach_refuses_what_is_no_model(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert, content: bytes, message: str
) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    status, _, err = fer_convert("attach", path, "--spec", run_folder / "spec.json")
    assert status == 1
    assert message in err
    assert path.read_bytes() == content


def test_verify_refuses_a_file_without_a_contract(
    foreign: Path, data_path: Path, fer_convert: FerConvert
) -> None:
    status, _, err = fer_convert("verify", foreign, "--data", data_path)
    assert status == 1
    assert "fer-convert attach FILE --spec SPEC" in err
    assert len(err.splitlines()) == 1


def test_verify_refuses_data_that_is_not_there(converted: Path, fer_convert: FerConvert) -> None:
    status, _, err = fer_convert("verify", converted / "int8.tflite", "--data", "nowhere")
    assert status == 1
    assert err.startswith("Error: nowhere")


def test_verify_measures_another_split(converted: Path, data_path: Path, fer_convert: FerConvert) -> None:
    command = ("verify", converted / "float32.tflite", "--data", data_path)
    status, out, _ = fer_convert(*command, "--split", "Training")
    assert status == 0
    assert "correct on 420 faces of Training;" in out


def test_a_spec_that_is_no_json_is_refused(foreign: Path, tmp_path: Path, fer_convert: FerConvert) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps("a text")[:-1])
    status, _, err = fer_convert("attach", foreign, "--spec", path)
    assert status == 1
    assert "is not JSON" in err


def test_attach_says_what_a_contract_can_be_read_from(foreign: Path, fer_convert: FerConvert) -> None:
    status, _, err = fer_convert("attach", foreign, "--spec", foreign)
    assert status == 1
    assert "expected a run's spec.json, or a .tflite file that carries its contract" in err
    assert "attach FILE" not in err
