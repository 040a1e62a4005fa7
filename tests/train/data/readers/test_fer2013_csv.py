from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import DataError
from fer_train.data.dataset import load_faces

FACE = " ".join(["7"] * 2304)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("emotion, Usage, pixels", f"3,Training,{FACE}"),  # icml_face_data.csv
        ('"emotion","pixels","Usage"', f'"3","{FACE}","Training"'),
        ("\ufeffemotion,pixels,Usage", f"3,{FACE},Training\r"),
        ("Emotion,Pixels,usage,source", f"3, {FACE} ,Training,x"),
        ("emotion,pixels,Usage", f"3,{FACE},Training\n\n"),
    ],
    ids=["leading blanks", "quoted", "byte-order mark and CRLF", "another column", "blank lines"],
)
def test_tables_are_read_as_others_write_them(header: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(f"{header}\n{row}\n", newline="")
    faces = load_faces(path)
    assert (faces.labels.tolist(), faces.splits.tolist()) == ([3], ["Training"])
    assert (faces.pixels == 7).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "columns emotion, pixels and Usage"),
        ("emotion,pixels\n3,7\n", "usage missing"),
        ("emotion,pixels,Usage\n", "expected faces"),
        (
            f"emotion,pixels,Usage\n3,{FACE},Training\n3,{FACE[:-2]},Training\n",
            "line 3.*2,304 pixels.*got 2,303",
        ),
        (f"emotion,pixels,Usage\n3,{FACE} 7,Training\n", "line 2.*got 2,305"),
        (f"emotion,pixels,Usage\n9,{FACE},Training\n", "line 2.*emotion from 0 to 6, got '9'"),
        (f"emotion,pixels,Usage\n,{FACE},Training\n", "line 2.*emotion from 0 to 6, got ''"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}256,Training\n", "line 2.*0 to 255, got '256'"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}-1,Training\n", "line 2.*0 to 255, got '-1'"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}7.5,Training\n", "line 2.*0 to 255, got '7.5'"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}x,Training\n", "line 2.*0 to 255, got 'x'"),
        (f"emotion,pixels,Usage\n3,{FACE},Validation\n", "line 2.*Training, PublicTest.*got 'Validation'"),
        (f"emotion,pixels,Usage\n3,{FACE}\n", "line 2.*3 fields, got 2"),
        ("emotion,pixels,Usage\n3," + "7 " * 40_000 + ",Training\n", "line 2.*bomb"),
        ("\x89PNG\r\n", "columns emotion, pixels and Usage"),
        (f"emotion,pixels,Usage\n3,{FACE},Training\n\n9,{FACE},Training\n", "line 4.*got '9'"),
        (f'emotion,pixels,Usage\n3,"{FACE},Training\n3,{FACE}\n', "line 3.*3 fields, got 2"),
        (f"emotion,pixels,Usage,source\n3,{FACE},Training\n", "line 2.*4 fields, got 3"),
        (f"emotion,pixels,Usage\n3\0,{FACE},Training\n", "line 2.*NUL"),
        (
            "emotion,pixels,Usage\n" + f"3,{FACE},Training\n" * 1300 + f"7,{FACE},Training\n",
            "line 1302.*got '7'",
        ),
    ],
)
def test_a_malformed_table_is_refused_by_its_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"(?s){path}.*{says}"):
        load_faces(path)


def test_a_table_longer_than_a_chunk_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    rows = [f"{row % 7},{' '.join([str(row % 256)] * 2304)},Training\n" for row in range(1100)]
    path.write_text("emotion,pixels,Usage\n" + "".join(rows))
    faces = load_faces(path)
    assert faces.labels.tolist() == [row % 7 for row in range(1100)]
    assert faces.pixels[:, 5, 5].tolist() == [row % 256 for row in range(1100)]
