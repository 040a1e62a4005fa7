"""A file that is not a TFLite model is identified, with a remedy."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from fer_edge.errors import ModelError
from fer_edge.models.file_kind import check_tflite
from fer_edge.models.find_model import find_model


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name in names:
            packed.writestr(name, "content")
    return content.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n"


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b"", "empty", "download it again"),
        (b"\n", "empty", "download it again"),
        (POINTER, "Git LFS pointer", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page", "raw file"),
        (b'<HTML lang="en">', "a web page", "raw file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "a Keras network", "docs/conversion.md"),
        (
            archive("metadata.json", "config.json", "model.weights.h5"),
            "a Keras network",
            "docs/conversion.md",
        ),
        (
            archive("export/saved_model.pb", "export/variables/variables.index"),
            "SavedModel",
            "from_saved_model",
        ),
        (archive("model_unquant.tflite", "labels.txt"), "a compressed archive", "unpack it"),
        (archive("archive/data.pkl", "archive/version"), "a PyTorch network", "litert-torch"),
        (archive("readme.txt"), "a compressed archive", "unpack it"),
        (b"\x1f\x8b\x08" + b"\0" * 40, "a compressed archive", "unpack it"),
        (b"\x80\x02}q\x00.", "a PyTorch network", "litert-torch"),
        (b"\x08\x08\x12\x07pytorch\x1a\x032.1" + b"\0" * 40, "an ONNX network", "onnx2tf"),
        (b'{"format": "layers-model", "modelTopology": {}}', "TensorFlow.js", "TensorFlow Lite"),
        (b"PK\x03\x04" + b"\xff" * 40, "damaged", "download"),
        (b"\x00" * 1000, "damaged", "download"),
        (b"3TFL" * 10_000, "damaged", "download"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, content: bytes, what: str, remedy: str) -> None:
    path = tmp_path / "smile.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        find_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a TFLite model: it is ")
    assert what in message
    assert remedy in message
    assert "\n" not in message


def test_onnx_is_known_by_its_name_too(tmp_path: Path) -> None:
    path = tmp_path / "smile.onnx"
    path.write_bytes(b"\x08\x03\x12\x0bour own tool")
    with pytest.raises(ModelError, match="an ONNX network"):
        check_tflite(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it is a folder; use a"):
        check_tflite(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match="SavedModel; convert it with"):
        check_tflite(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        check_tflite(tmp_path / "nowhere.tflite")


def test_a_tflite_model_is_accepted() -> None:
    check_tflite(find_model().path)
