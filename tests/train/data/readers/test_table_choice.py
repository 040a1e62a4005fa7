"""A folder is given that contains the faces in a table or an archive."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from fer_edge.errors import DataError
from fer_train.data.dataset import load_faces

FACE = " ".join(["7"] * 2304)
TABLE = "emotion,pixels,Usage\n" + "".join(f"{emotion},{FACE},Training\n" for emotion in range(7))
CONTENTS = {
    "fer2013.csv": TABLE,
    "icml_face_data.csv": TABLE,
    "faces.csv": TABLE,
    "train.csv": TABLE,
    "test.csv": f"pixels\n{FACE}\n",
    "example_submission.csv": "id,emotion\n",
    "README": "read me",
    "test-0.parquet": "PAR1",
}


def folder_of(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(TABLE.encode()))
        else:
            path.write_text(CONTENTS.get(path.name, "x"))
    return root


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("fer2013.csv", "README"), "reading the table fer2013.csv in this folder"),
        (("archive/fer2013/fer2013.csv", "__MACOSX/x"), "reading the table fer2013.csv in this folder"),
        (
            ("train.csv", "test.csv", "icml_face_data.csv"),
            "reading the table icml_face_data.csv in this folder",
        ),
        (("train.csv", "test.csv"), "reading train.csv; ignoring tables without labeled faces: test.csv"),
        (("faces.csv.gz", "README"), "reading the archive faces.csv.gz in this folder"),
    ],
)
def test_the_table_of_a_folder_is_read_which_is_said(
    names: tuple[str, ...], says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_faces(folder_of(tmp_path, *names)).labels.tolist() == list(range(7))
    (record,) = caplog.records
    assert record.getMessage().endswith(f": {says}")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ("train.csv", "faces.csv"),
            r"2 tables of labeled faces \(faces.csv, train.csv\); specify one of them",
        ),
        (("test.csv", "example_submission.csv"), "2 tables, none of them with labeled faces"),
        (("a.csv.gz", "b.csv.gz"), r"2 archives \(a.csv.gz, b.csv.gz\); specify one of them"),
        (("test.csv",), "test.csv: the table has no column emotion"),
        (("data/train-0.parquet", "data/test-0.parquet"), "test-0.parquet: this is a Parquet table"),
        (("labels.csv", "images/1.png"), "only one label folder, images; put the images of each label"),
        (("README",), "no images in label folders"),
    ],
)
def test_a_folder_that_does_not_say_which_is_refused(
    names: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        load_faces(folder_of(tmp_path, *names))


def test_a_damaged_archive_of_a_folder_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path, "faces.csv.gz")
    path = tmp_path / "faces.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=f"{path}: truncated or damaged archive"):
        load_faces(tmp_path)
