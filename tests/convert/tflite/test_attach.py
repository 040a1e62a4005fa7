"""``fer-convert attach``: model specs for files from elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_convert.tflite.container import extract_network
from fer_edge.classification.classifier import Classifier
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS, ModelSpec, read_spec

FerConvert = Callable[..., tuple[int, str, str]]
RunAndListImports = Callable[..., tuple[subprocess.CompletedProcess[str], set[str]]]
DESKTOP_ONLY = {"tensorflow", "keras", "pandas", "matplotlib", "jax", "torch"}


def test_attach_needs_the_runtime_alone(
    foreign: Path, run_folder: Path, run_and_list_imports: RunAndListImports
) -> None:
    ran, imported = run_and_list_imports("attach", foreign, "--spec", run_folder / "spec.json")
    assert ran.returncode == 0, ran.stderr
    assert not imported & DESKTOP_ONLY


def test_attach_gives_a_foreign_file_its_model_spec(
    foreign: Path, run_folder: Path, data_path: Path, fer_convert: FerConvert
) -> None:
    assert fer_convert("verify", foreign, "--data", data_path)[0] == 1
    status, out, _ = fer_convert("attach", foreign, "--spec", run_folder / "spec.json")
    assert status == 0
    assert "now has the model spec of tiny (int8)" in out
    assert find_model(foreign).spec.variant == "int8"
    assert fer_convert("verify", foreign, "--data", data_path)[0] == 0


@pytest.mark.parametrize("variant", ["float32", "float16", "dynamic", "int8"])
def test_attach_detects_the_variant_from_the_tensors(
    converted: Path, run_folder: Path, tmp_path: Path, fer_convert: FerConvert, variant: str
) -> None:
    path = tmp_path / "misleading-name.tflite"
    path.write_bytes(extract_network((converted / f"{variant}.tflite").read_bytes()))
    assert fer_convert("attach", path, "--spec", run_folder / "spec.json")[0] == 0
    assert read_spec(path).variant == variant
    Classifier(path).close()


def test_attach_takes_the_model_spec_of_another_file(
    foreign: Path, converted: Path, fer_convert: FerConvert
) -> None:
    assert fer_convert("attach", foreign, "--spec", converted / "float32.tflite")[0] == 0
    spec = read_spec(foreign)
    assert spec.variant == "int8"
    assert spec.accuracy == {}, "measured on the other file"


def test_attach_replaces_a_model_spec_only_when_told(
    converted: Path, run_folder: Path, tmp_path: Path, spec: ModelSpec, fer_convert: FerConvert
) -> None:
    path = Path(shutil.copy(converted / "int8.tflite", tmp_path / "model.tflite"))
    before = path.read_bytes()
    renamed = tmp_path / "spec.json"
    renamed.write_text(spec.replace(name="renamed").to_json())
    status, _, err = fer_convert("attach", path, "--spec", renamed)
    assert status == 1
    assert (
        "already has a different model spec, with name tiny instead of renamed; replace it with --overwrite"
        in err
    )
    assert path.read_bytes() == before
    assert fer_convert("attach", path, "--spec", renamed, "--overwrite")[0] == 0
    assert read_spec(path).name == "renamed"
    assert b"renamed" in extract_network(path.read_bytes()), "the metadata inside is replaced as well"


def test_attach_refuses_a_model_spec_that_the_tensors_contradict(
    foreign: Path, tmp_path: Path, spec: ModelSpec, fer_convert: FerConvert
) -> None:
    before = foreign.read_bytes()
    wrong = tmp_path / "spec.json"
    wrong.write_text(spec.replace(labels=("yes", "no")).to_json())
    status, _, err = fer_convert("attach", foreign, "--spec", wrong)
    assert status == 1
    assert "the spec names 2 labels" in err
    assert foreign.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.tflite", "spec.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "it is empty"), (b"not a model at all", "not a TFLite model")],
)
def test_attach_refuses_what_is_not_a_model(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert, content: bytes, message: str
) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    status, _, err = fer_convert("attach", path, "--spec", run_folder / "spec.json")
    assert status == 1
    assert message in err
    assert path.read_bytes() == content


def test_attach_refuses_a_spec_that_is_not_json(
    foreign: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps("a text")[:-1])
    status, _, err = fer_convert("attach", foreign, "--spec", path)
    assert status == 1
    assert "is not valid JSON" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"provenance": {"notes": "x" * 1_100_000}}, "expected a spec of at most 1,048,576 bytes"),
        ({"name": "\ud800"}, "expected a name of 1 to 80 UTF-8 characters"),
        ({"labels": ["\ud800", *FER2013_LABELS[1:]]}, "expected labels of 1 to 40 UTF-8 characters"),
    ],
    ids=["long", "name", "labels"],
)
def test_attach_refuses_a_spec_that_could_not_be_read_again(
    foreign: Path,
    run_folder: Path,
    tmp_path: Path,
    fer_convert: FerConvert,
    changes: dict[str, object],
    message: str,
) -> None:
    spec = json.loads((run_folder / "spec.json").read_text()) | changes
    (tmp_path / "own.json").write_text(json.dumps(spec))
    before = foreign.read_bytes()
    status, _, err = fer_convert("attach", foreign, "--spec", tmp_path / "own.json")
    assert status == 1
    assert "own.json: the model spec is invalid" in err
    assert message in err
    assert foreign.read_bytes() == before


def test_attach_adds_nothing_that_makes_the_spec_too_long(
    converted: Path, run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    spec = json.loads((run_folder / "spec.json").read_text()) | {"provenance": {}}
    spec["provenance"] = {"notes": "x" * (1_048_576 - len(json.dumps(spec, indent=2)) - 40)}
    (tmp_path / "own.json").write_text(json.dumps(spec, indent=2))
    path = Path(shutil.copy(converted / "int8.tflite", tmp_path / "model.tflite"))
    before = path.read_bytes()
    status, _, err = fer_convert("attach", path, "--spec", tmp_path / "own.json", "--overwrite")
    assert status == 1
    assert "model.tflite: the model spec is invalid: expected a spec of at most" in err
    assert path.read_bytes() == before


def test_attach_keeps_a_provenance_that_is_not_text(
    foreign: Path, run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    spec = json.loads((run_folder / "spec.json").read_text())
    spec["provenance"] = {"data": "bad\udcff", "licence": "bad\udcff"}
    (tmp_path / "own.json").write_text(json.dumps(spec))
    assert fer_convert("attach", foreign, "--spec", tmp_path / "own.json")[0] == 0
    assert read_spec(foreign).provenance["data"] == "bad\udcff"


def test_attach_says_from_which_files_a_model_spec_can_be_read(
    foreign: Path, fer_convert: FerConvert
) -> None:
    status, _, err = fer_convert("attach", foreign, "--spec", foreign)
    assert status == 1
    assert "specify the spec.json of a run, or a .tflite file with a model spec" in err
    assert "attach FILE" not in err
