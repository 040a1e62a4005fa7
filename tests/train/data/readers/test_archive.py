from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import load_faces

Rows = list[tuple[int, str, str]]
FACE = " ".join(["7"] * 2304)


def tar_of(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def gz_of(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content))
    return path


FORMS: dict[str, Callable[[Path, bytes], Path]] = {
    "fer2013.csv": lambda folder, csv: (folder / "fer2013.csv").write_bytes(csv) and folder / "fer2013.csv",
    "fer2013.csv.gz": lambda folder, csv: gz_of(folder / "fer2013.csv.gz", csv),
    "fer2013.zip": lambda folder, csv: zip_of(folder / "fer2013.zip", {"fer2013.csv": csv}),
    "fer2013.tar": lambda folder, csv: tar_of(folder / "fer2013.tar", {"fer2013/fer2013.csv": csv}, "w"),
    "fer2013.tar.gz": lambda folder, csv: tar_of(
        folder / "fer2013.tar.gz",
        {"fer2013/README": b"read me", "fer2013/fer2013.csv": csv, "fer2013/fer2013.bib": b"@"},
    ),
    "Kaggle's challenge": lambda folder, csv: zip_of(
        folder / "challenge.zip", {"train.csv": b"x", "icml_face_data.csv": csv, "test.csv": b"y"}
    ),
    "another name": lambda folder, csv: tar_of(folder / "download", {"fer/faces.csv": csv}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_packing_gives_the_same_faces(
    form: str, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]
) -> None:
    rows = make_rows(5, 3, 2)
    faces = load_faces(FORMS[form](tmp_path, csv_text(rows).encode()))
    assert faces.pixels.shape == (10, 48, 48)
    assert faces.pixels.dtype == np.uint8
    assert " ".join(map(str, faces.pixels[4].ravel())) == rows[4][1]
    assert faces.labels.tolist() == [row[0] for row in rows]
    assert faces.splits.tolist() == [row[2] for row in rows]
    assert faces.source_rows.tolist() == list(range(10))
    assert faces.label_names == FER2013_LABELS


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"../fer2013.csv": b"x"}, "outside its folder"),
        ({"/etc/fer2013.csv": b"x"}, "outside its folder"),
        ({"a/..\\b.csv": b"x"}, "outside its folder"),
        (
            {"fer2013.csv": b"emotion,pixels,Usage\n3," + FACE.encode() + b",Training\n", "z/../../y": b""},
            "outside",
        ),
        ({"README": b"x"}, "found none"),
        ({"a.csv": b"x", "b.csv": b"x"}, r"found 2 tables \(a.csv, b.csv\)"),
        ({"zeros": bytes(70 << 20)}, "bomb"),
        ({"fer2013.csv": b"emotion,pixels,Usage\n" + bytes(1 << 20)}, "bomb"),
    ],
    ids=["upwards", "absolute", "Windows", "after the table", "no table", "two", "bomb", "bomb of one line"],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of], ids=["tar.gz", "zip"])
def test_an_archive_that_is_none_of_ours_is_refused(
    pack: Callable[[Path, dict[str, bytes]], Path], members: dict[str, bytes], says: str, tmp_path: Path
) -> None:
    path = pack(tmp_path / "archive", members)
    with pytest.raises(DataError, match=f"{path}.*{says}"):
        load_faces(path)


def test_a_bomb_of_good_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_train.data.readers.archive.ALWAYS_ALLOWED", 1 << 20)
    path = gz_of(tmp_path / "bomb.csv.gz", b"emotion,pixels,Usage\n" + f"3,{FACE},Training\n".encode() * 500)
    with pytest.raises(DataError, match="bomb"):
        load_faces(path)


@pytest.mark.parametrize("form", ["fer2013.csv.gz", "fer2013.zip", "fer2013.tar.gz"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_archive_is_refused(
    form: str, kept: float, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]
) -> None:
    path = FORMS[form](tmp_path, csv_text(make_rows()).encode())
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DataError, match=f"{path}.*(cut off|damaged)"):
        load_faces(path)
