from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.classification.preprocess import extract_face
from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import DataError, OutputError
from fer_edge.models.find_model import find_model
from fer_edge.runtime.staged_folders import check_staged_folder
from fer_edge.sources.image_io import read_image
from fer_edge.types import Detection, FaceBox, Frame
from fer_train.cli.main import run
from fer_train.data.dataset import load_faces
from fer_train.data.photos.crop import crop_photos
from fer_train.data.photos.faces import MIN_FACE, find_doubt
from fer_train.data.photos.folders import find_photos

Image = NDArray[np.uint8]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an image below ``photos``."""

    def write_image(name: str, image: Image) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), image)
        return path

    return write_image


@pytest.fixture
def photos(tmp_path: Path, write: Write, portrait: Image) -> Path:
    """Two labels with one face each, and one of everything that has no crop."""
    half = np.asarray(cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    write("smile/grace.jpg", portrait)
    write("other/grace.png", half)
    write("other/wall.png", np.full((300, 400, 3), 128, np.uint8))
    write("other/pair.png", np.hstack([portrait, portrait]))
    (tmp_path / "photos/other/broken.jpg").write_bytes(b"\xff\xd8 not an image")
    (tmp_path / "photos/other/notes.txt").write_text("not a photo")
    return tmp_path / "photos"


def read_list(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "crops.csv").open(newline="") as file:
        return {row["photo"]: row for row in csv.DictReader(file)}


def test_faces_keep_their_folders_and_the_rest_is_listed(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faces"
    assert run(["crop", str(photos), "--out", str(out)]) == 1  # one photo cannot be read
    output = capsys.readouterr()
    assert "2 faces cropped: other 1, smile 1" in output.out
    assert "cannot read 1 photo" in output.err
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "contact-sheet.png", "crops.csv", "other/grace.png", "smile/grace.png",
    ]  # fmt: skip
    listed = read_list(out)
    assert {name: row["left_out"].partition(":")[0] for name, row in listed.items()} == {
        "smile/grace.jpg": "", "other/grace.png": "", "other/wall.png": "no face", "other/pair.png": "2 faces",
        "other/broken.jpg": "unreadable", "other/notes.txt": "not an image",
    }  # fmt: skip
    assert listed["smile/grace.jpg"]["crop"] == "smile/grace.png"


def test_a_list_that_was_made_to_harm_removes_nothing_outside(photos: Path, tmp_path: Path) -> None:
    out, mine = tmp_path / "faces", tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    (out / "folder.png").mkdir(parents=True)
    (out / "link").symlink_to(tmp_path)
    names = ["../mine.png", str(mine), "link/mine.png", "folder.png", "a\0.png", "b" * 300 + ".png"]
    with (out / "crops.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["photo", "crop"], *([name, name] for name in names)])
    crop_photos(photos, out, HaarDetector(still_image=True), choice="one", min_face=MIN_FACE, overwrite=True)
    assert mine.read_bytes() == b"mine"
    assert read_list(out)["smile/grace.jpg"]["crop"] == "smile/grace.png"


def test_no_photo_s_name_becomes_a_formula_in_a_spreadsheet(
    write: Write, portrait: Image, tmp_path: Path
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "faces"
    for label in ("=cmd()", "smile"):
        write(f"{label}/a.jpg", portrait)
    crop_photos(photos, out, HaarDetector(still_image=True), choice="one", min_face=MIN_FACE)
    listed = {name: row["crop"] for name, row in read_list(out).items()}
    assert listed == {"./=cmd()/a.jpg": "./=cmd()/a.png", "smile/a.jpg": "smile/a.png"}


def test_a_network_sees_the_same_of_a_crop_as_of_the_photo(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    crop_photos(photos, out, HaarDetector(still_image=True), choice="one", min_face=MIN_FACE)
    faces = load_faces(out)
    assert faces.label_names == ("other", "smile")
    frame = Frame(read_image(photos / "smile/grace.jpg"))
    (detection,) = HaarDetector(still_image=True).detect(frame)
    seen = extract_face(frame, detection, find_model().spec)[..., 0]
    trained = faces.pixels[faces.labels == 1][0]
    assert np.abs(seen.astype(int) - trained).mean() < 2


def test_the_largest_of_several_is_taken_when_asked_for(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    crop_photos(photos, out, HaarDetector(still_image=True), choice="largest", min_face=MIN_FACE)
    assert read_list(out)["other/pair.png"]["crop"] == "other/pair.png"


def test_photos_of_one_name_get_crops_of_different_names(
    write: Write, portrait: Image, tmp_path: Path
) -> None:
    for name in ("a.jpg", "a.png", "A.jpeg", "a-png.bmp"):
        write(f"train/smile/{name}", portrait)
    write("train/other/a.jpg", portrait)
    crops = [photo.crop.as_posix() for photo in find_photos(tmp_path / "photos")]
    assert len({name.lower() for name in crops}) == 5
    assert {Path(name).parent.as_posix() for name in crops} == {"train/smile", "train/other"}


def test_a_folder_that_holds_files_is_refused_and_an_earlier_crop_replaced_when_asked(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faces"
    run(["crop", str(photos), "--out", str(out)])
    (out / "smile/mine.txt").write_text("the user's")
    (photos / "other/grace.png").rename(photos / "other/hopper.png")
    assert run(["crop", str(photos), "--out", str(out)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    run(["crop", str(photos), "--out", str(out), "--overwrite"])
    assert sorted(path.name for path in (out / "other").iterdir()) == ["hopper.png"]
    assert (out / "smile/mine.txt").exists(), "what crop did not write stays"


def test_photos_without_a_face_leave_nothing_behind(write: Write, tmp_path: Path) -> None:
    for label in ("smile", "other"):
        write(f"{label}/wall.png", np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(DataError, match=r"no usable face in 2 photos \(no face 2\)"):
        crop_photos(tmp_path / "photos", tmp_path / "faces", HaarDetector(), choice="one", min_face=MIN_FACE)
    assert not (tmp_path / "faces").exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((f"label{number}/a.png" for number in range(101)), "expected 2 to 100 labels, got 101"),
        (("smile/a.png", "score/a.png"), "labels that are not names of result columns, got 'score'"),
        (("smile/a.png", "clock/a.png"), "labels that are not names of result columns, got 'clock'"),
        (("a.png", "b.png"), "this image is not in a label folder"),
    ],
)
def test_labels_that_no_model_can_have_are_refused_before_the_work(
    names: list[str], message: str, write: Write, tmp_path: Path
) -> None:
    for name in names:
        write(name, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=message):
        find_photos(tmp_path / "photos")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        find_photos(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        check_staged_folder(tmp_path / "file", overwrite=False)


def test_a_doubtful_face_is_left_out(portrait: Image) -> None:
    frame = Frame(portrait)
    box = HaarDetector(still_image=True).detect(frame)[0].box
    blurred = Frame(np.asarray(cv2.GaussianBlur(portrait, (0, 0), box.width / 20), np.uint8))
    flat = Frame(np.asarray(portrait // 16, np.uint8))

    def doubt(frame: Frame, *found: Detection) -> str | None:
        return find_doubt(frame, found, "one", MIN_FACE)

    assert doubt(frame, Detection(box, support=40)) is None
    assert doubt(frame, Detection(box, support=4)) == "doubtful face"
    assert doubt(frame, Detection(box, score=0.5)) == "doubtful face"
    assert doubt(blurred, Detection(box)) == "blurred face"
    assert doubt(flat, Detection(box)) == "no contrast"
    assert str(doubt(frame, Detection(FaceBox(0, 0, 30, 30)))).startswith("small face")
    small = Detection(FaceBox(0, 0, box.width // 3, box.width // 3))
    assert doubt(frame, Detection(box), small) is None, "people in the background are no rivals"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(
    number: signal.Signals, write: Write, portrait: Image, tmp_path: Path
) -> None:
    for index in range(40):
        write(f"{'smile' if index % 2 else 'other'}/{index}.jpg", portrait)
    out = tmp_path / "faces"
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_train", "crop", str(tmp_path / "photos"), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not any(out.rglob("*.png")):
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == (130 if number == signal.SIGINT else 143), errors
    assert "Interrupted: nothing was written" in errors
    assert not out.exists()
