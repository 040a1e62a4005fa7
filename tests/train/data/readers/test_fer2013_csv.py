from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import SPLITS, load_faces
from fer_train.data.readers.split_names import HOLD_OUT_HINT

FACE = " ".join(["7"] * 2304)
NUMBERS = "0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral"
ROWS = [
    (row % 7, np.random.default_rng(row).integers(0, 256, (48, 48)), SPLITS[row // 7]) for row in range(21)
]
"""Emotion, gray levels and Usage of one face per emotion and split."""

Row = Callable[[int, "np.ndarray", str], tuple[str, ...]]


def pixels(face: np.ndarray, separator: str = " ") -> str:
    return separator.join(map(str, face.ravel()))


def plain(emotion: int, face: np.ndarray, usage: str) -> tuple[str, ...]:
    return str(emotion), pixels(face), usage


def table(
    row: Row = plain,
    header: tuple[str, ...] = ("emotion", "pixels", "Usage"),
    delimiter: str = ",",
    end: str = "\n",
) -> str:
    lines = [header, *(row(*face) for face in ROWS)]
    return "".join(delimiter.join(fields) + end for fields in lines)


def assert_is_read(path: Path, rows: list[tuple[int, np.ndarray, str]] = ROWS) -> None:
    faces = load_faces(path)
    assert faces.label_names == FER2013_LABELS
    assert faces.labels.tolist() == [emotion for emotion, _, _ in rows]
    assert faces.splits.tolist() == [usage for _, _, usage in rows]
    assert np.array_equal(faces.pixels, np.stack([face for _, face, _ in rows]))
    assert faces.source_rows.tolist() == list(range(len(rows)))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def quoted(text: str) -> str:
    return f'"{text}"'


NUMBERED = tuple(f"pixel{number}" for number in range(2304))
UNSAID: dict[str, str | bytes] = {
    "icml_face_data.csv": table(lambda e, f, u: (str(e), u, pixels(f)), ("emotion", " Usage", " pixels")),
    "another order, case and column": table(
        lambda e, f, u: ("", u, f" {pixels(f)} ", str(e)), ("", "USAGE", "Pixels ", "emotion")
    ),
    "quoted": table(lambda e, f, u: (quoted(str(e)), quoted(pixels(f)), quoted(u))),
    "single quotes": table(lambda e, f, u: (f"'{e}'", f"'{pixels(f)}'", f"'{u}'")),
    "semicolons": table(delimiter=";"),
    "tabs": table(delimiter="\t"),
    "bars": table(delimiter="|"),
    "Excel's sep=": "sep=;\r\n" + table(delimiter=";", end="\r\n"),
    "CRLF": table(end="\r\n"),
    "CR": table(end="\r"),
    "UTF-8 with a byte-order mark": table().encode("utf-8-sig"),
    "Latin-1": table(
        lambda e, f, u: (str(e), pixels(f), u, "Zoé"), ("emotion", "pixels", "Usage", "né")
    ).encode("latin-1"),
    "Excel's Unicode text": table(delimiter="\t", end="\r\n").encode("utf-16"),
    "UTF-16, the other byte order": b"\xfe\xff" + table().encode("utf-16-be"),
    "UTF-16 without a mark": table().encode("utf-16-le"),
    "UTF-32": table().encode("utf-32"),
    "blank lines": "\n" + table().replace("\n", "\n\n"),
    "no line feed at the end": table()[:-1],
    "names": table(lambda e, f, u: (FER2013_LABELS[e].title(), pixels(f), u)),
    "numbers with a point": table(
        lambda e, f, u: (f"{e}.0", " ".join(f"{level}.0" for level in f.ravel()), u)
    ),
    "pixels in columns": table(
        lambda e, f, u: (str(e), *map(str, f.ravel()), u), ("emotion", *NUMBERED, "Usage")
    ),
    "pixels in columns, in another order": table(
        lambda e, f, u: (*map(str, f.ravel()[::-1]), str(e), u), (*NUMBERED[::-1], "emotion", "Usage")
    ),
    "columns that are numbers from 1": table(
        lambda e, f, u: (str(e), *map(str, f.ravel()), u), ("emotion", *map(str, range(1, 2305)), "Usage")
    ),
    "commas in quotes": table(lambda e, f, u: (str(e), quoted(pixels(f, ",")), u)),
    "commas without quotes": table(lambda e, f, u: (str(e), pixels(f, ","), u)),
    "a list": table(lambda e, f, u: (str(e), quoted(json.dumps(f.ravel().tolist())), u)),
    "a list of lists, semicolons": table(lambda e, f, u: (str(e), json.dumps(f.tolist()), u), delimiter=";"),
    "NumPy's lines": table(lambda e, f, u: (str(e), quoted(np.array2string(f.ravel(), threshold=9999)), u)),
}


@pytest.mark.parametrize("form", UNSAID)
def test_tables_are_read_as_others_write_them(
    form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert_is_read(write(tmp_path / "faces.csv", UNSAID[form]))
    assert not caplog.records


SYNONYMS = ("Anger", "disgusted", "Fearful", "Happiness", "SADNESS", "suprise", "Neutral")
SHORT = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
SAID: dict[str, tuple[str, str]] = {
    "synonyms": (
        table(lambda e, f, u: (SYNONYMS[e], pixels(f), u)),
        "interpreting the column emotion: Anger as angry, disgusted as disgust, Fearful as fear, "
        "Happiness as happy, SADNESS as sad, suprise as surprise",
    ),
    "other columns": (
        table(header=("label", "image", "split")),
        "interpreting columns: label as emotion, image as pixels, split as Usage",
    ),
    "other splits": (
        table(lambda e, f, u: (str(e), pixels(f), SHORT[u])),
        "interpreting the column Usage: train as Training, val as PublicTest, test as PrivateTest",
    ),
}


@pytest.mark.parametrize("form", SAID)
def test_what_is_assumed_is_said_each_time(
    form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text, says = SAID[form]
    path = write(tmp_path / "faces.csv", text)
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        assert_is_read(path)
        assert [record.getMessage() for record in caplog.records] == [f"{path}: {says}"]


@pytest.mark.parametrize("form", ["no column", "empty"])
def test_without_usage_all_faces_are_training_which_is_said(
    form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (
        table(lambda e, f, u: (str(e), pixels(f)), ("emotion", "pixels"))
        if form == "no column"
        else table(lambda e, f, u: (str(e), pixels(f), ""))
    )
    path = write(tmp_path / "train.csv", text)
    assert_is_read(path, [(emotion, face, "Training") for emotion, face, _ in ROWS])
    (record,) = caplog.records
    assert record.getMessage().endswith("all faces are used as Training")
    assert getattr(record, "hint", None) == HOLD_OUT_HINT


def test_one_test_split_is_public_test(tmp_path: Path) -> None:
    text = table(lambda e, f, u: (str(e), pixels(f), "train" if u == "Training" else "test"))
    faces = load_faces(write(tmp_path / "faces.csv", text))
    assert faces.splits.tolist() == ["Training"] * 7 + ["PublicTest"] * 14


def test_emotions_that_a_split_lacks_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"{emotion},{FACE},Training\n" for emotion in (1, 2, 3, 4, 6))
    load_faces(write(tmp_path / "faces.csv", "emotion,pixels,Usage\n" + rows))
    (record,) = caplog.records
    assert record.getMessage().endswith(
        f"the split Training has no faces of: angry, surprise (numbers are interpreted as FER-2013's: {NUMBERS})"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty; download it again"),
        ("emotion,pixels,Usage\n", "no faces below its header"),
        ("id,emotion\n1,3\n", "columns emotion, pixels and Usage, but its first line 'id,emotion' lacks pixels"),
        (f"pixels\n{FACE}\n", "no column emotion .like the competition's test.csv.*icml_face_data.csv"),
        (f"3,{FACE},Training\n", "no header, as its first line is a face; add .* emotion,pixels,Usage"),
        (f"label,class,pixels\n3,3,{FACE}\n", "which of the columns label and class is the column emotion"),
        (f"emotion,pixels,pixels\n3,{FACE},{FACE}\n", "which of the columns pixels and pixels is the column pixels"),
        ("emotion," + ",".join(f"pixel{i}" for i in range(4096)) + "\n", "4,096 columns of pixels, .* has 2,304"),
        ("Usage,Image name,neutral,happiness,surprise,sadness,anger,NF\n", "FER. votes, not of faces$"),
        (f"emotion,pixels,Usage\n3,{FACE[:-2]},Training\n", r"expected 2,304, 48×48.*, such as 2,303 \(line 2\)"),
        (f"emotion,pixels,Usage\n3,{FACE} 7,Training\n", r"such as 2,305 \(line 2\)"),
        (f"emotion,pixels,Usage\n3,{' '.join(['7'] * 4096)},Training\n", r"such as 4,096 \(64×64\) \(line 2\)"),
        (f"emotion,pixels,Usage\n3,{FACE} {FACE} {FACE},Training\n", r"such as 6,912 \(48×48 in color\)"),
        (f"emotion,pixels,Usage\n9,{FACE},Training\n", r"an unknown emotion \(expected 0 to 6 or .*\), such as '9'"),
        (f"emotion,pixels,Usage\nhapy,{FACE},Training\n", r"an unknown emotion \(expected 0 to 6 .*such as 'hapy'"),
        (f"emotion,pixels,Usage\n,{FACE},Training\n", r"no emotion \(line 2\)"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}256,Training\n", r"from 0 to 255\), such as '256' \(line 2\)"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}-1,Training\n", r"from 0 to 255\), such as '-1'"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}7.5,Training\n", r"from 0 to 255\), such as '7.5'"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}NaN,Training\n", r"from 0 to 255\), such as 'NaN'"),
        (f"emotion,pixels,Usage\n3,{FACE[:-1]}1_0,Training\n", r"from 0 to 255\), such as '1_0'"),
        (f"emotion,pixels,Usage\n3,{FACE.replace('7', '0.7')},Training\n", "from 0 to 1 .*multiply .* and round"),
        ("emotion,pixels,Usage\n3,[70 80 ... 82],Training\n", "abbreviated with '...'"),
        ("emotion,image\nhappy,img/1.png\n", r"name of an image file .*train/<label>/\), such as 'img/1.png'"),
        (f"emotion,pixels,Usage\n3,{FACE},Extra\n", r"an unknown Usage \(expected Training, Pub.*such as 'Extra'"),
        (f"emotion,pixels,Usage\n3,{FACE},val\n3,{FACE},test\n3,{FACE},PrivateTest\n", "test besides PublicTest"),
        (f"emotion,pixels,Usage\n3,{FACE}\n", r"the wrong number of fields \(expected 3\), such as 2 \(line 2\)"),
        ("emotion,pixels,Usage\n3," + "7 " * 40_000 + ",Training\n", "line 2: the line is longer .*bomb"),
        (f"emotion,pixels,Usage\n3,{FACE},Training\n\n9,{FACE},Training\n", r"1 of 2 rows: .*\(line 4\)"),
        (f'emotion,pixels,Usage\n3,"{FACE},Training\n3,{FACE}\n', r"a quote that is never closed \(line 2\)"),
        (f'emotion,pixels,Usage\n"3"\r,"{FACE}",Training\n', "quotes that cannot be read, such as new-line"),
        ('emotion,pixels,Usage\n3,"' + f"{FACE},Training\n3," * 20, "line 2: a quote is never closed"),
        (f"emotion,pixels,Usage\n3\0,{FACE},Training\n", r"a NUL byte \(line 2\)"),
        ("emotion,pixels,Usage\n" + f"3,{FACE},Training\n" * 1300 + f"x,{FACE},Training\n", r"\(line 1302\)"),
    ],
)  # fmt: skip
def test_a_malformed_table_is_refused_with_what_to_do(text: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "faces.csv", text)
    with pytest.raises(DataError, match=f"(?s){path}.*{says}"):
        load_faces(path)


BAD_ROWS = (
    "emotion,pixels,Usage\n"
    + f"0,{FACE},Training\n" * 2
    + f"9,{FACE},Training\n11,{FACE},Training\n3,{FACE} 7,Training\n4,{FACE},\n"
    + f"5,{FACE},PublicTest\n"
)


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "faces.csv", BAD_ROWS)
    with pytest.raises(DataError) as told:
        load_faces(path)
    assert str(told.value) == (
        f"{path}: cannot read 4 of 7 rows: an unknown emotion (expected 0 to 6 or angry, disgust, fear, happy, "
        "sad, surprise, neutral), such as '9', '11' (lines 4, 5); the wrong number of pixels (expected 2,304, 48×48; "
        "images in train/<label>/ may have any size), such as 2,305 (line 6); no Usage (line 7); correct them"
    )
    assert told.value.hint == "or skip them with --skip-unreadable"


def test_bad_rows_are_left_out_where_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "faces.csv", BAD_ROWS)
    for _ in range(2):  # reported each time, even from the cache
        caplog.clear()
        faces = load_faces(path, skip_unreadable=True)
        assert faces.labels.tolist() == [0, 0, 5]
        assert faces.splits.tolist() == ["Training", "Training", "PublicTest"]
        assert faces.source_rows.tolist() == [0, 1, 6]
        assert "cannot read 4 of 7 rows" in caplog.text
        assert "skipped" in caplog.text
    with pytest.raises(DataError, match="cannot read 1 of 1 rows"):
        load_faces(write(path, f"emotion,pixels,Usage\n9,{FACE},Training\n"), skip_unreadable=True)


def test_contempt_of_ckextended_is_told_and_can_be_left_out(tmp_path: Path) -> None:
    text = "emotion,pixels,Usage\n" + "".join(f"{emotion},{FACE},Training\n" for emotion in range(8))
    path = write(tmp_path / "ckextended.csv", text)
    with pytest.raises(
        DataError, match=r"the emotion '7', .* 7 is contempt\) \(line 9\); correct them$"
    ) as raised:
        load_faces(path)
    assert raised.value.hint == "or skip them with --skip-unreadable"
    assert load_faces(path, skip_unreadable=True).labels.tolist() == list(range(7))


@pytest.mark.parametrize("point", ["", ".0"])
def test_emotions_that_are_numbered_from_1_are_refused(point: str, tmp_path: Path) -> None:
    text = "emotion,pixels\n" + "".join(f"{emotion}{point},{FACE}\n" for emotion in range(1, 8))
    with pytest.raises(DataError, match=f"up to 7 without a 0, .* write names .*{NUMBERS}"):
        load_faces(write(tmp_path / "faces.csv", text), skip_unreadable=True)


@pytest.mark.parametrize("missing", [3, 12, 3000], ids=["in Usage", "before Usage", "in the pixels"])
def test_a_download_that_broke_off_is_told(missing: int, tmp_path: Path) -> None:
    path = write(tmp_path / "fer2013.csv", table()[:-missing])
    with pytest.raises(
        DataError, match=r"1 of 21 rows: the last row is truncated \(line 22\); download the file"
    ):
        load_faces(path)
    assert len(load_faces(path, skip_unreadable=True)) == 20


def test_a_table_longer_than_a_chunk_is_read_in_its_order(tmp_path: Path) -> None:
    rows = [f"{row % 7},{' '.join([str(row % 256)] * 2304)},Training\n" for row in range(1100)]
    faces = load_faces(write(tmp_path / "faces.csv", "emotion,pixels,Usage\n" + "".join(rows)))
    assert faces.labels.tolist() == [row % 7 for row in range(1100)]
    assert faces.pixels[:, 5, 5].tolist() == [row % 256 for row in range(1100)]
