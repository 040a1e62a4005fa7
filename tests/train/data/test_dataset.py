from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.models.spec import FER2013_LABELS
from fer_train.data.dataset import load_faces, load_votes

Rows = list[tuple[int, str, str]]
FACE = " ".join(["7"] * 2304)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FER_EDGE_CACHE", str(folder))
    return folder


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
    assert faces.rows.tolist() == list(range(10))
    assert faces.label_names == FER2013_LABELS


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
    ],
)
def test_a_malformed_table_is_refused_by_its_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"(?s){path}.*{says}"):
        load_faces(path)


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
    monkeypatch.setattr("fer_train.data.readers.archive._ALWAYS_ALLOWED", 1 << 20)
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


def test_missing_data_say_where_they_are_had(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing is there; get .* from Kaggle"):
        load_faces(tmp_path / "nowhere")


def write_picture(path: Path, value: int = 0, size: tuple[int, int] = (48, 48)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(value).integers(0, 256, (*size, 3), np.uint8)
    assert cv2.imwrite(str(path), picture)


def folder_of(root: Path, *names: str) -> Path:
    for value, name in enumerate(names):
        write_picture(root / name, value)
    return root


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("train/a train/b test/a", "Training Training PublicTest"),
        ("Training/a Training/b val/a test/b", "Training Training PublicTest PrivateTest"),
        ("train/a train/b PublicTest/a PrivateTest/b", "Training Training PublicTest PrivateTest"),
        ("fer2013/train/a fer2013/train/b", "Training Training"),
        ("test/a test/b", "PublicTest PublicTest"),
    ],
    ids=[
        "test alone is PublicTest",
        "test beside val is PrivateTest",
        "FER-2013's names",
        "nested",
        "test only",
    ],
)
def test_the_folders_names_are_the_splits(names: str, splits: str, tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, *(f"{name}/1.png" for name in names.split())))
    assert faces.splits.tolist() == splits.split()
    assert faces.label_names == ("a", "b")
    assert (faces.rows == -1).all()


@pytest.mark.parametrize(
    "names",
    [
        ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"),
        ("Anger", "Disgusted", "FEARFUL", "Happiness", "Neutral", "Sadness", "surprised"),
    ],
)
def test_the_seven_emotions_are_known_by_any_name(names: tuple[str, ...], tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, *(f"train/{name}/1.jpg" for name in names)))
    assert faces.label_names == FER2013_LABELS
    assert [FER2013_LABELS[label] for label in faces.labels] == [
        "angry", "disgust", "fear", "happy", "neutral", "sad", "surprise",
    ]  # fmt: skip


def test_own_labels_are_in_alphabetical_order(tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, "train/smiling/1.png", "train/asleep/1.png", "train/happy/1.png"))
    assert faces.label_names == ("asleep", "happy", "smiling")
    assert faces.labels.tolist() == [0, 1, 2]


def test_pictures_of_any_size_are_read_as_the_runtime_sees_them(tmp_path: Path) -> None:
    from fer_edge.classification.preprocess import face_pixels
    from fer_edge.models.spec import ModelSpec
    from fer_edge.sources.images import read_picture
    from fer_edge.types import FaceBox

    write_picture(tmp_path / "train/a/1.png", 1, (200, 100))
    write_picture(tmp_path / "train/b/2.png", 2, (20, 30))
    faces = load_faces(tmp_path)
    spec = ModelSpec(name="x", labels=("a", "b"))
    for name, pixels in zip(("a/1.png", "b/2.png"), faces.pixels, strict=True):
        image = read_picture(tmp_path / "train" / name)
        seen = face_pixels(image, FaceBox(0, 0, image.shape[1], image.shape[0], is_crop=True), spec)
        assert np.array_equal(pixels, seen[..., 0])


def test_hidden_and_system_files_are_left_out(tmp_path: Path) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/b/1.png")
    for name in (".DS_Store", "Thumbs.db"):
        (tmp_path / "train/a" / name).write_bytes(b"x")
    assert len(load_faces(tmp_path)) == 2


def _text_as_picture(root: Path) -> None:
    (root / "train/a/2.jpg").write_text("no picture")


def _truncated_picture(root: Path) -> None:
    write_picture(root / "train/a/2.jpg", 5, (200, 200))
    content = (root / "train/a/2.jpg").read_bytes()
    (root / "train/a/2.jpg").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_text_as_picture, "train/a/2.jpg: expected a picture"),
        (_truncated_picture, "train/a/2.jpg: the JPEG ends"),
        (lambda root: (root / "train/a/notes.txt").write_text("x"), "notes.txt: expected a picture"),
        (lambda root: write_picture(root / "train/1.png"), "1.png: expected a picture in the folder of its label"),
        (lambda root: write_picture(root / "test/c/1.png"), "test/c: expected a label that Training has, too"),
        (lambda root: write_picture(root / "more/a/1.png"), "more: expected folders train, val and test"),
        (lambda root: write_picture(root / "Training/a/1.png"), "expected one folder for a split"),
        (lambda root: write_picture(root / "train/score/1.png"), "no result column's name, got 'score'"),
        (lambda root: write_picture(root / "train/a,b/1.png"), "labels of 1 to 40 characters without comma"),
        (lambda root: shutil.rmtree(root / "train/b"), "2 to 100 labels, got 1"),
        (lambda root: [write_picture(root / f"train/l{i}/1.png") for i in range(99)], "2 to 100 labels, got 101"),
        (lambda root: shutil.rmtree(root / "train"), "expected pictures in train/<label>/"),
        (lambda root: [(root / "train" / name / "1.png").unlink() for name in "ab"], "found none"),
        (lambda root: os.mkfifo(root / "train/a/x.png.d"), "expected a picture"),
    ],
)  # fmt: skip
def test_a_malformed_folder_is_refused_by_name(
    spoil: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    folder_of(tmp_path, "train/a/1.png", "train/b/1.png")
    spoil(tmp_path)
    with pytest.raises(DataError, match=says):
        load_faces(tmp_path)


def test_a_split_that_is_absent_is_an_error_only_when_asked_for(small_csv: Path) -> None:
    faces = load_faces(small_csv)
    assert len(faces.split("Training")) == 42
    with pytest.raises(
        DataError, match="expected the split PrivateTest in the data, found Training, PublicTest"
    ):
        faces.split("PrivateTest")


def test_faces_take_the_labels_of_a_model(tmp_path: Path) -> None:
    faces = load_faces(folder_of(tmp_path, "test/Happiness/1.png", "test/sad/1.png"))
    relabelled = faces.relabelled(FER2013_LABELS)
    assert [FER2013_LABELS[label] for label in relabelled.labels] == ["happy", "sad"]
    with pytest.raises(DataError, match=r"model's labels \(a, sad\), got Happiness, too"):
        faces.relabelled(("a", "sad"))


class TestCache:
    def test_the_second_time_comes_from_the_cache(
        self, small_csv: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = load_faces(small_csv)
        monkeypatch.setattr("fer_train.data.dataset.read_table", None)
        second = load_faces(small_csv)
        assert second.digest() == first.digest()
        assert np.array_equal(second.rows, first.rows)

    @pytest.mark.parametrize("form", ["csv", "folder"])
    def test_a_change_of_the_source_is_noticed_whatever_its_time(
        self, form: str, tmp_path: Path, small_csv: Path
    ) -> None:
        source = (
            small_csv if form == "csv" else folder_of(tmp_path / "faces", "train/a/1.png", "train/b/1.png")
        )
        file = small_csv if form == "csv" else source / "train/b/1.png"
        before, times = load_faces(source), file.stat()
        if form == "csv":
            content = file.read_text()
            file.write_text(content.replace("\n0,", "\n6,", 1))
        else:
            write_picture(file, 9)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert load_faces(source).digest() != before.digest()

    @pytest.mark.parametrize(
        "spoil", [b"", b"PK\x03\x04 no archive", None], ids=["empty", "garbage", "another"]
    )
    def test_a_damaged_cache_is_made_anew(
        self, spoil: bytes | None, own_cache: Path, small_csv: Path
    ) -> None:
        first = load_faces(small_csv)
        (kept,) = own_cache.glob("*.npz")
        if spoil is None:
            np.savez(kept, other=np.arange(3))
        else:
            kept.write_bytes(spoil)
        assert load_faces(small_csv).digest() == first.digest()

    def test_a_cache_that_cannot_be_written_is_no_error(
        self, small_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file" / "cache"))
        assert len(load_faces(small_csv)) == 56

    def test_it_keeps_the_latest_data_sets_and_nothing_half_written(
        self, own_cache: Path, tmp_path: Path, make_rows: Callable[..., Rows], csv_text: Callable[[Rows], str]
    ) -> None:
        for seed in range(10):
            path = tmp_path / f"{seed}.csv"
            path.write_text(csv_text(make_rows(7, 0, seed=seed)))
            load_faces(path)
        assert len(list(own_cache.iterdir())) == 8


class TestVotes:
    HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"

    def test_they_are_read_in_the_order_of_the_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "votes.csv"
        path.write_text(
            f"{self.HEADER}\nTraining,fer0.png,4,0,0,1,3,2,0,0,0,0\nTraining,,0,0,0,0,0,0,0,0,0,10\n"
        )
        assert load_votes(path).tolist() == [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [0] * 9 + [10]]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "columns neutral"),
            ("Usage,neutral\n", "columns happiness"),
            (f"{HEADER}\nTraining,x,1,2\n", "line 2"),
            (f"{HEADER}\nTraining,x,4,0,0,1,3,2,0,0,0,many\n", "line 2"),
            (f"{HEADER}\nTraining,x,4,0,0,1,3,2,0,0,0,-1\n", "line"),
        ],
    )
    def test_malformed_ones_are_refused(self, text: str, says: str, tmp_path: Path) -> None:
        path = tmp_path / "votes.csv"
        path.write_text(text)
        with pytest.raises(DataError, match=says):
            load_votes(path)

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="the votes cannot be read"):
            load_votes(tmp_path / "nowhere.csv")


def test_fer2013_is_read_whole(
    fer2013_path: Path | None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_EDGE_CACHE", str(cache))
    if fer2013_path is None:
        pytest.skip("FER-2013 is not here")
    faces = load_faces(fer2013_path)
    assert [len(faces.split(name)) for name in ("Training", "PublicTest")] == [28_709, 3_589]
    assert faces.is_blank().sum() < 100
