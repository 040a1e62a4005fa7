"""Files that are not tables of faces give an error that says what they are and what to do."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_train.data.dataset import load_faces


def zip_of(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return content.getvalue()


def npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, x=np.zeros(3), y=np.zeros(3))
    return content.getvalue()


def npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


FILES: dict[str, tuple[bytes, str]] = {
    "web page": (
        b"<!DOCTYPE html>\n<html><head>",
        "web page instead of the file, as the download needs a login",
    ),
    "web page as an archive": (b"\n <html><body>Sign in", "web page"),
    "server's message": (b'{"code":403,"message":"You must accept"}', "JSON instead of a table: .*403"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "git lfs pull"),
    "empty": (b"", "empty; download it again"),
    "Parquet": (b"PAR1" + bytes(100), "Parquet table, .*as a CSV with the columns emotion, pixels and Usage"),
    "Excel": (zip_of("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook, .*save it as CSV"),
    "old Excel": (b"\xd0\xcf\x11\xe0" + bytes(100), "Excel workbook, .*save it as CSV"),
    "npz": (npz(), "NumPy arrays .*as a CSV"),
    "npy": (npy(), "NumPy array.*as a CSV"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 file.*as a CSV"),
    "pickle": (pickle.dumps({"x": 1}), "pickle, which could execute arbitrary code"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(100), "7z archive, .*unpack it"),
    "RAR": (b"Rar!\x1a\x07\x00" + bytes(100), "RAR archive, .*unpack it"),
    "image": (
        cv2.imencode(".png", np.zeros((48, 48), np.uint8))[1].tobytes(),
        "a single image; put images into folders, train/<label>/",
    ),
    "zeros": (bytes(5000), "binary data instead of a table"),
    "noise": (
        np.random.default_rng(0).bytes(5000),
        "binary data instead of a table|its first line .* lacks",
    ),
    "a carriage return in the header": (b"emotion,pix\rels\n3,7\n", "its first line .* lacks"),
    "images in an archive": (zip_of("archive/train/happy/1.png"), "contains images, .*unpack it"),
    "archive in an archive": (
        zip_of("data/fer2013.tar.gz"),
        "another archive, data/fer2013.tar.gz; unpack it",
    ),
    "Parquet in an archive": (zip_of("train.parquet"), "train.parquet, which is not supported; .*as a CSV"),
    "empty archive": (zip_of(), "no table .*it is empty"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_another_kind_says_what_it_is_and_what_to_do(kind: str, tmp_path: Path) -> None:
    content, says = FILES[kind]
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"(?s){path}: .*{says}") as told:
        load_faces(path)
    assert "video" not in str(told.value)
