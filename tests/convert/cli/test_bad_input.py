"""Bad input: one clear line, the documented exit status, nothing half-written."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.models.spec import FER2013_LABELS, ModelSpec
from fer_edge.runtime.locks import lock_folder

FerConvert = Callable[..., tuple[int, str, str]]
WriteData = Callable[[Path, list[list[Any]]], Path]


@pytest.fixture
def run_copy(run_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that tests may damage."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def without_model(run: Path) -> None:
    (run / "model.keras").unlink()


def without_spec(run: Path) -> None:
    (run / "spec.json").unlink()


def with_broken_spec(run: Path) -> None:
    (run / "spec.json").write_text('{"spec_version": 1}')


def with_eight_labels(run: Path) -> None:
    change_spec(run, labels=(*FER2013_LABELS, "contempt"))


def with_another_size(run: Path) -> None:
    change_spec(run, width=64, height=64)


def with_other_labels(run: Path) -> None:
    change_spec(run, labels=("bored", *FER2013_LABELS[1:]))


def with_truncated_model(run: Path) -> None:
    content = (run / "model.keras").read_bytes()
    (run / "model.keras").write_bytes(content[: len(content) // 2])


def change_spec(run: Path, **changes: Any) -> None:
    spec = ModelSpec.from_json((run / "spec.json").read_text()).replace(**changes)
    (run / "spec.json").write_text(spec.to_json())


def with_custom_layer(run: Path) -> None:
    import keras

    class Unregistered(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs + 1

    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Dense(7)(keras.layers.Flatten()(Unregistered()(inputs)))
    keras.Model(inputs, keras.layers.Softmax()(x)).save(run / "model.keras")


def with_unsupported_operator(run: Path) -> None:
    import keras

    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Flatten()(keras.layers.Activation("sigmoid")(inputs))
    x = keras.layers.Dense(7)(keras.ops.erfinv(keras.ops.tanh(x)))
    keras.Model(inputs, keras.layers.Softmax()(x), name="odd").save(run / "model.keras")


def with_logits(run: Path) -> None:
    import keras

    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Rescaling(5)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, keras.layers.Dense(7)(x)).save(run / "model.keras")


def with_constant_outputs(run: Path, value: float = 0) -> None:
    import keras

    inputs = keras.Input((48, 48, 1))
    weights = keras.initializers.Constant(value)
    x = keras.layers.Dense(7, kernel_initializer=weights)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, keras.layers.Softmax()(x)).save(run / "model.keras")


def with_damaged_weights(run: Path) -> None:
    with_constant_outputs(run, math.nan)


def with_a_loop(run: Path) -> None:
    import keras

    inputs = keras.Input((48, 48, 1))
    x = keras.layers.GRU(4)(keras.layers.Reshape((48, 48))(inputs))
    keras.Model(inputs, keras.layers.Dense(7, "softmax")(x), name="loop").save(run / "model.keras")


@pytest.mark.parametrize(
    ("damage", "status", "message"),
    [
        (with_a_loop, 1, "loop: cannot convert to int8, because the network has a loop"),
        (with_logits, 1, "run/model.keras: its outputs are logits, not probabilities"),
        (with_damaged_weights, 1, "run/model.keras: its outputs are not finite"),
        (without_model, 1, "not a run folder, as it has no model.keras"),
        (without_spec, 2, "specify it with --spec"),
        (with_broken_spec, 1, "spec has no field 'input'"),
        (with_truncated_model, 1, "Keras cannot load the network"),
        (with_custom_layer, 1, "Unregistered"),
        (with_unsupported_operator, 1, "Erfinv"),
        (with_eight_labels, 1, "its model spec has an input of shape (48, 48, 1) and 8 labels"),
        (with_other_labels, 1, "the data has labels that the model lacks: "),
        (with_another_size, 1, "but the model takes gray images of 64×64 pixels"),
    ],
)
def test_a_bad_run_is_refused_in_one_line(
    run_copy: Path,
    tmp_path: Path,
    fer_convert: FerConvert,
    damage: Callable[[Path], None],
    status: int,
    message: str,
) -> None:
    damage(run_copy)
    got, out, err = fer_convert(run_copy, "--out", tmp_path / "out")
    (line,) = [line for line in err.replace("\r", "\n").splitlines() if line.startswith("Error: ")]
    assert message in line
    assert got == status
    assert out == ""
    assert not (tmp_path / "out").exists()


def test_a_network_that_distinguishes_nothing_is_warned_about(
    run_copy: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    with_constant_outputs(run_copy)
    status, _, err = fer_convert(run_copy, "--out", tmp_path / "out", "--formats", "float32")
    assert status == 0
    assert (
        "Warning: 70 of 70 images are predicted as angry: the network hardly distinguishes the labels" in err
    )
    assert "--class-weights" not in err


def test_a_network_of_another_size_contradicts_its_spec(run_copy: Path, tmp_path: Path) -> None:
    import keras

    from fer_convert.trained_model import find_trained_model
    from fer_edge.errors import ContractError

    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Dense(7)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, keras.layers.Softmax()(x)).save(run_copy / "model.keras")
    with pytest.raises(ContractError, match=r"input of shape \(48, 48, 1\) .* shapes \(32, 32, 1\)"):
        find_trained_model(run_copy).load()


def no_training(rows: list[list[Any]]) -> list[list[Any]]:
    return [row for row in rows if row[2] != "Training"]


def no_public_test(rows: list[list[Any]]) -> list[list[Any]]:
    return [row for row in rows if row[2] == "Training"]


def blank_training(rows: list[list[Any]]) -> list[list[Any]]:
    gray = " ".join(["77"] * 48 * 48)
    return [[row[0], gray, row[2]] if row[2] == "Training" else row for row in rows]


def nothing(rows: list[list[Any]]) -> list[list[Any]]:
    return []


def smaller(rows: list[list[Any]]) -> list[list[Any]]:
    return [[row[0], " ".join(row[1].split()[: 32 * 32]), row[2]] for row in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_training, "the data has no split Training"),
        (no_public_test, "the data has no split PublicTest"),
        (blank_training, "images are blank"),
        (nothing, "has no faces below its header"),
        (smaller, "cannot read 490 of 490 rows"),
    ],
)
def test_bad_faces_are_refused_in_one_line(
    run_folder: Path,
    data_rows: list[list[Any]],
    tmp_path: Path,
    fer_convert: FerConvert,
    write_data: WriteData,
    change: Callable[[list[list[Any]]], list[list[Any]]],
    message: str,
) -> None:
    data = write_data(tmp_path / "data.tar.gz", change(data_rows))
    status, out, err = fer_convert(run_folder, "--data", data, "--out", tmp_path / "out")
    assert (status, out) == (1, "")
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "out").exists()


def test_float_files_need_no_calibration_faces(
    run_folder: Path,
    data_rows: list[list[Any]],
    tmp_path: Path,
    fer_convert: FerConvert,
    write_data: WriteData,
) -> None:
    data = write_data(tmp_path / "data.tar.gz", no_training(data_rows))
    options = ("--data", data, "--formats", "float32", "--out", tmp_path / "out")
    assert fer_convert(run_folder, *options)[0] == 0


def test_without_a_data_path_in_the_run_data_is_required(
    run_copy: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    (run_copy / "config.json").unlink()
    status, _, err = fer_convert(run_copy, "--out", tmp_path / "out")
    assert status == 2
    assert "specify a data set for calibration and evaluation with --data" in err


def test_a_folder_with_other_files_is_never_overwritten(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "float32.tflite").write_text("mine")
    (out / "notes.txt").write_text("mine too")
    status, _, err = fer_convert(run_folder, "--out", out, "--formats", "float32")
    assert status == 1
    assert "it contains float32.tflite, notes.txt" in err
    assert "--overwrite" in err
    assert (out / "float32.tflite").read_text() == "mine"

    assert fer_convert(run_folder, "--out", out, "--formats", "float32", "--overwrite")[0] == 0
    assert (out / "float32.tflite").stat().st_size > 10_000
    assert (out / "notes.txt").read_text() == "mine too"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    from fer_edge.errors import OutputError
    from fer_edge.runtime.staged_folders import staged_folder

    def fill() -> None:
        with staged_folder(tmp_path / "out", overwrite=False) as staging:
            (staging / "int8.tflite").write_bytes(b"complete")
            Path("/dev/full").write_bytes(b"more than there is room for")

    with pytest.raises(OutputError, match="cannot write: No space left on device"):
        fill()
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_a_file_is_refused(run_folder: Path, tmp_path: Path, fer_convert: FerConvert) -> None:
    (tmp_path / "out").write_text("mine")
    status, _, err = fer_convert(run_folder, "--out", tmp_path / "out")
    assert status == 1
    assert "is a file, not a folder" in err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs a parent path that is not a folder")
def test_an_out_that_cannot_be_made_is_refused(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    (tmp_path / "file").write_text("mine")
    status, _, err = fer_convert(run_folder, "--out", tmp_path / "file/out")
    assert status == 1
    assert "cannot write" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--formats", "int4"), "unknown format 'int4'; choose from float32, float16, dynamic, int8"),
        (("--samples", "0"), "--samples"),
        (("--max-drop", "-1"), "--max-drop"),
        (("--split", "Validation"), "--split"),
    ],
)
def test_wrong_usage_exits_2(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert, options: tuple[str, ...], message: str
) -> None:
    status, _, err = fer_convert(run_folder, "--out", tmp_path / "out", *options)
    assert status == 2
    assert message in err


def test_interrupted_it_leaves_nothing(run_folder: Path, data_path: Path, tmp_path: Path) -> None:
    from fer_convert.conversion.convert import convert_model
    from fer_convert.conversion.options import ConversionOptions
    from fer_convert.trained_model import find_trained_model
    from fer_train.data.dataset import load_faces

    def interrupt(what: str, steps: Any) -> Any:
        if what == "Verifying float32":
            raise KeyboardInterrupt
        return steps

    with pytest.raises(KeyboardInterrupt):
        convert_model(
            find_trained_model(run_folder),
            load_faces(data_path),
            tmp_path / "out",
            ConversionOptions(variants=("float32",)),
            data="drawn",
            progress=interrupt,
        )
    assert not (tmp_path / "out").exists()


def test_a_run_config_that_is_not_an_object_names_no_data(run_copy: Path) -> None:
    from fer_convert.trained_model import find_trained_model

    (run_copy / "config.json").write_text(json.dumps(["not", "an", "object"]))
    assert find_trained_model(run_copy).data is None


def test_usage_is_what_the_user_types(fer_convert: FerConvert) -> None:
    status, _, errors = fer_convert("run")
    assert status == 2
    assert errors.startswith("Usage: fer-convert [OPTIONS] RUN\n")


@pytest.mark.skipif(os.name == "nt", reason="there are no locks on Windows")
def test_two_conversions_do_not_mix_their_files(
    run_folder: Path, tmp_path: Path, fer_convert: FerConvert
) -> None:
    with lock_folder(tmp_path / "out"):
        status, _, err = fer_convert(run_folder, "--out", tmp_path / "out", "--formats", "float32")
    assert status == 1
    assert "out: another program is writing to this folder" in err
    assert not (tmp_path / "out").exists()
