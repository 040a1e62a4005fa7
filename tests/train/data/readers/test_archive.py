from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import load_faces
from fer_train.data.readers.split_names import HOLD_OUT_HINT

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
    "fer2013.csv.bz2": lambda folder, csv: (
        (folder / "fer2013.csv.bz2").write_bytes(bz2.compress(csv)) and folder / "fer2013.csv.bz2"
    ),
    "fer2013.csv.xz": lambda folder, csv: (
        (folder / "fer2013.csv.xz").write_bytes(lzma.compress(csv)) and folder / "fer2013.csv.xz"
    ),
    "fer2013.tar.bz2": lambda folder, csv: tar_of(folder / "fer2013.tar.bz2", {"fer2013.csv": csv}, "w:bz2"),
    "fer2013.tar.xz": lambda folder, csv: tar_of(folder / "fer2013.tar.xz", {"fer2013.csv": csv}, "w:xz"),
    "a Mac's zip": lambda folder, csv: zip_of(
        folder / "archive.zip", {"archive/faces.csv": csv, "__MACOSX/archive/._faces.csv": b"x"}
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
        ({"README": b"x"}, r"no table \(fer2013.csv or .*it contains README"),
        ({"a.csv": b"x", "b.csv": b"x"}, r"2 tables, none of them with labeled faces \(a.csv, b.csv\)"),
        (
            {"a.csv": b"emotion,pixels\n", "b.csv": b"emotion,pixels\n", "c.csv": b"id,emotion\n"},
            r"2 tables of labeled faces \(a.csv, b.csv\); specify one of them",
        ),
        ({"zeros": bytes(70 << 20)}, "bomb"),
        ({"fer2013.csv": b"emotion,pixels,Usage\n" + bytes(1 << 20)}, "bomb"),
        ({"fer2013.csv": b"emotion,pixels,Usage\n" + b"\n" * 1_000_001}, "1,000,000 lines are blank.*bomb"),
    ],
    ids=[
        "upwards",
        "absolute",
        "Windows",
        "after the table",
        "no table",
        "two",
        "two of faces",
        "bomb",
        "bomb of one line",
        "bomb of blank lines",
    ],
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
    with pytest.raises(DataError, match=f"{path}.*(truncated|damaged)"):
        load_faces(path)


@pytest.mark.parametrize("pack", [tar_of, zip_of], ids=["tar.gz", "zip"])
def test_kaggles_train_csv_is_read_beside_tables_without_labels(
    pack: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = "".join(f"{emotion},{FACE}\n" for emotion in range(7))
    members = {
        "test.csv": f"pixels\n{FACE}\n".encode(),
        "example_submission.csv": b"id,emotion\n1,2\n",
        "train.csv": f"emotion,pixels\n{rows}".encode(),
    }
    path = pack(tmp_path / "challenge", members)
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        faces = load_faces(path)
        assert (faces.labels.tolist(), set(faces.splits)) == (list(range(7)), {"Training"})
        assert [record.getMessage() for record in caplog.records] == [
            f"{path}: reading train.csv; ignoring tables without labeled faces: test.csv, example_submission.csv",
            f"{path}: the table has no test faces, as the column Usage is missing or empty: all faces are used as "
            "Training",
        ]
        assert getattr(caplog.records[1], "hint", None) == HOLD_OUT_HINT


def zip_that_lies(path: Path, content: bytes, says: int) -> Path:
    """Return a zip whose headers give another size than its content."""
    zip_of(path, {"fer2013.csv": content})
    archive = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = archive.find(magic) + offset
        archive[place : place + 4] = says.to_bytes(4, "little")
    path.write_bytes(archive)
    return path


@pytest.mark.parametrize(
    ("says", "told"), [(50_000, "truncated or damaged"), (4_000_000_000, "decompression bomb")]
)
def test_a_zip_that_lies_about_its_size_is_refused(says: int, told: str, tmp_path: Path) -> None:
    content = b"emotion,pixels,Usage\n" + f"3,{FACE},Training\n".encode() * 100
    path = zip_that_lies(tmp_path / "fer2013.zip", content, says)
    with pytest.raises(DataError, match=f"{path}.*{told}"):
        load_faces(path)


def test_a_tar_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("fer2013.csv")
    info.size = 1 << 40
    path = tmp_path / "fer2013.tar"
    path.write_bytes(info.tobuf() + b"emotion,pixels,Usage\n" + bytes(10_000))
    with pytest.raises(DataError, match=f"{path}.*decompression bomb"):
        load_faces(path)


def test_an_encrypted_zip_says_what_to_do(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "fer2013.zip", {"fer2013.csv": b"emotion,pixels,Usage\n"})
    archive = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.find(magic) + offset] |= 1
    path.write_bytes(archive)
    with pytest.raises(DataError, match=f"{path}.*encrypted.*unpack it with another program"):
        load_faces(path)


@pytest.mark.parametrize("form", ["fer2013.zip", "fer2013.csv.gz", "fer2013.csv.bz2", "fer2013.csv.xz"])
def test_a_damaged_archive_is_refused(
    form: str, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]
) -> None:
    path = FORMS[form](tmp_path, csv_text(make_rows()).encode())
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}.*damaged"):
        load_faces(path)
