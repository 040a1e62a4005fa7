"""YuNet: errors without its model or with another file, and its results if the model is available.

The model is not part of this repository; it is read from FER_YUNET_MODEL or ``../shared/models``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge import EmotionRecognizer
from fer_edge.detectors.registry import create_detector
from fer_edge.detectors.yunet import FRAMING, YuNetDetector, least_score
from fer_edge.errors import DetectorError, ModelError
from fer_edge.models.detector_files import DETECTOR_FILES, find_detectors_folder
from fer_edge.tracking.tracker import Tracker
from fer_edge.types import FaceBox, Frame, Image
from tests.conftest import REPOSITORY
from tests.edge.support import drifting, moved, plain, read_rows, run_fer_edge, run_python

MODEL = Path(
    os.environ.get("FER_YUNET_MODEL", REPOSITORY / "../shared/models" / DETECTOR_FILES["yunet"].file_name)
)
FACE = FaceBox(183, 120, 170, 212)
"""The portrait's face box in YuNet's framing."""

present = pytest.mark.skipif(not MODEL.is_file(), reason="the YuNet model is not available")


def field(number: int, content: bytes) -> bytes:
    """Encode a protocol buffer field of at most 127 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def onnx(operator: bytes) -> bytes:
    """Return an ONNX file with one node from ``x`` to ``y``, both float (1, 3, 64, 64)."""
    dims = b"".join(field(1, b"\x08" + bytes([size])) for size in (1, 3, 64, 64))
    tensor = field(2, field(1, b"\x08\x01" + field(2, dims)))
    node = field(1, b"x") + field(2, b"y") + field(4, operator)
    graph = field(1, node) + field(2, b"g") + field(11, field(1, b"x") + tensor)
    graph += field(12, field(1, b"y") + tensor)
    return (
        b"\x08\x07"
        + bytes([7 << 3 | 2, 0x80 | len(graph) & 0x7F, len(graph) >> 7])
        + graph
        + field(8, b"\x10\x0b")
    )


@pytest.fixture
def no_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


class TestWithoutItsModel:
    @pytest.mark.usefixtures("no_downloads")
    def test_it_names_the_command_that_downloads_it(self, portrait_path: Path) -> None:
        with pytest.raises(ModelError, match="yunet has not been downloaded; run: fer-edge get yunet"):
            create_detector("yunet")
        with pytest.raises(ModelError, match="run: fer-edge get yunet"):
            EmotionRecognizer(detector="yunet")
        done = run_fer_edge("image", portrait_path, "--detector", "yunet")
        assert done.returncode == 1
        assert (
            done.stderr == "Error: the face detector yunet has not been downloaded; run: fer-edge get yunet\n"
        )

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "got an empty file"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "got a Git LFS pointer"),
            (b"<!DOCTYPE html><html></html>", "got a web page"),
            (b"something else", "damaged, truncated or not an ONNX model"),
            (onnx(b"Relu"), "not a YuNet model, or one from before 2023 .its outputs are y."),
            (
                onnx(b"OfTomorrow"),
                r"OpenCV \d.* cannot run this network .Can't create .* .OfTomorrow..; install a newer OpenCV 4, or",
            ),
        ],
        ids=["empty", "pointer", "page", "text", "another network", "too new"],
    )
    def test_another_file_is_one_line_with_the_remedy(
        self, content: bytes, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(
            DetectorError, match=rf"model\.onnx: .*{reason}.*run: fer-edge get yunet"
        ) as caught:
            create_detector("yunet", model=path)
        assert "\n" not in str(caught.value)
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("name", ["nothere.onnx", ".", "a\0b"])
    def test_what_cannot_be_read_is_an_error(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(
            DetectorError, match=r"cannot read the face detector's model: .*run: fer-edge get yunet"
        ):
            create_detector("yunet", model=tmp_path / name)

    def test_the_detector_is_imported_only_if_chosen(self, portrait_path: Path) -> None:
        code = (
            "import sys, cv2; from fer_edge import EmotionRecognizer\n"
            f"EmotionRecognizer().analyze(cv2.imread({str(portrait_path)!r}))\n"
            "print([name for name in sys.modules if 'yunet' in name or name == 'urllib.request'])"
        )
        done = run_python(code)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[]"


@present
class TestDamagedModel:
    @pytest.mark.parametrize("length", [10, 1000, 100_000, 229_737])
    def test_a_model_that_is_cut_off_is_an_error(self, length: int, tmp_path: Path) -> None:
        path = tmp_path / "model.onnx"
        path.write_bytes(MODEL.read_bytes()[:length])
        with pytest.raises(DetectorError, match=r"model\.onnx: .*; .*fer-edge get yunet"):
            create_detector("yunet", model=path)

    def test_weights_that_give_no_boxes_are_an_error_and_not_no_face(
        self, portrait: Image, tmp_path: Path
    ) -> None:
        content = bytearray(MODEL.read_bytes())
        content[20_000:60_000] = b"\x7f" * 40_000  # 3.4e38, whose products are infinite
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(DetectorError, match="fer-edge get yunet"):
            create_detector("yunet", model=path).detect(Frame(portrait))

    @pytest.mark.parametrize("start", range(30_000, 200_000, 34_000))
    def test_weights_that_are_no_numbers_are_an_error_and_not_no_face(
        self, start: int, tmp_path: Path
    ) -> None:
        content = bytearray(MODEL.read_bytes())
        content[start : start + 256] = b"\xff" * 256  # a block from a failing memory card
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(
            DetectorError, match=r"model\.onnx: the (file|model) is damaged.*fer-edge get yunet"
        ):
            create_detector("yunet", model=path)


@pytest.fixture
def yunet() -> Iterator[YuNetDetector]:
    detector = YuNetDetector(MODEL)
    yield detector
    detector.close()


@pytest.fixture
def still() -> YuNetDetector:
    return YuNetDetector(MODEL, still_image=True)


@present
class TestDetection:
    def test_the_portrait_has_one_face(self, still: YuNetDetector, portrait: Image) -> None:
        (face,) = still.detect(Frame(portrait))
        assert face.box.iou(FACE) > 0.8
        assert face.framing == FRAMING
        assert face.score is not None
        assert 0.8 < face.score <= 1

    def test_key_points_begin_with_the_eye_at_the_left_of_the_image(
        self, still: YuNetDetector, portrait: Image
    ) -> None:
        (face,) = still.detect(Frame(portrait))
        eye, other_eye, nose, corner, other_corner = face.landmarks
        assert eye[0] < nose[0] < other_eye[0]
        assert corner[0] < nose[0] < other_corner[0]
        assert max(eye[1], other_eye[1]) < nose[1] < min(corner[1], other_corner[1])

    @pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
    def test_a_tilted_face_is_found_with_its_eyes(
        self, degrees: float, still: YuNetDetector, portrait: Image
    ) -> None:
        matrix = cv2.getRotationMatrix2D(FACE.center, degrees, 0.75)
        tilted = cv2.warpAffine(portrait, matrix, (512, 600), borderMode=cv2.BORDER_REPLICATE)
        (face,) = still.detect(Frame(np.asarray(tilted, np.uint8)))
        (x, y), (other_x, other_y) = face.landmarks[:2]
        assert np.degrees(np.arctan2(y - other_y, other_x - x)) == pytest.approx(degrees, abs=12)

    def test_the_same_image_gives_the_same_faces(self, yunet: YuNetDetector, portrait: Image) -> None:
        assert yunet.detect(Frame(portrait)) == yunet.detect(Frame(portrait))

    @pytest.mark.parametrize("shift", [(-140, 0), (-230, 0), (120, 0), (0, -170), (0, 380), (210, 300)])
    def test_a_face_cut_off_by_the_frame_has_a_box_inside_it(
        self, shift: tuple[int, int], still: YuNetDetector, portrait: Image
    ) -> None:
        for face in still.detect(Frame(moved(portrait, *shift))):
            assert face.box.clipped(512, 600) == face.box
            assert len(face.landmarks) == 5

    def test_several_faces_come_largest_first(self, still: YuNetDetector, portrait: Image) -> None:
        small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        below = cv2.copyMakeBorder(small, 0, 600 - small.shape[0], 0, 0, cv2.BORDER_REPLICATE)
        faces = still.detect(Frame(np.asarray(np.hstack([below, portrait]), np.uint8)))
        assert [face.box.x > small.shape[1] for face in faces] == [True, False]

    @pytest.mark.parametrize(("min_face", "found"), [(24, 1), (160, 1), (300, 0), (100_000, 0)])
    def test_a_face_below_the_smallest_is_not_found(self, min_face: int, found: int, portrait: Image) -> None:
        limited = YuNetDetector(MODEL, min_face=min_face)
        assert limited.smallest_face(Frame(portrait)) == min_face
        assert len(limited.detect(Frame(portrait))) == found

    def test_a_smaller_face_is_found_where_it_is_asked_for(self, portrait: Image) -> None:
        tiny = cv2.resize(portrait, (72, 84), interpolation=cv2.INTER_AREA)  # its face is 24 pixels wide
        wall = plain(128, 1280, 960)
        wall[200:284, 300:372] = tiny
        assert YuNetDetector(MODEL).detect(Frame(wall)) == ()
        (face,) = YuNetDetector(MODEL, min_face=20).detect(Frame(wall))
        assert 20 <= face.box.width < 30

    @pytest.mark.parametrize(
        "shape", [(1, 1), (10, 10), (1, 1000), (1000, 1), (20, 1000), (480, 640), (20_000, 40)]
    )
    def test_an_empty_image_has_no_face(self, shape: tuple[int, int], still: YuNetDetector) -> None:
        assert still.detect(Frame(np.full((*shape, 3), 128, np.uint8))) == ()

    def test_a_huge_image_is_searched_in_tiles(self, portrait: Image) -> None:
        wide = cv2.copyMakeBorder(portrait, 0, 2400, 5000, 300, cv2.BORDER_REPLICATE)
        small = cv2.resize(portrait, (120, 141), interpolation=cv2.INTER_AREA)
        wide[2000:2141, 1550:1670] = small
        found = YuNetDetector(MODEL, min_face=40).detect(Frame(np.asarray(wide, np.uint8)))
        assert len(found) == 2
        assert found[1].box.iou(FaceBox(1593, 2028, 40, 50)) > 0.5

    def test_the_image_is_not_changed(self, yunet: YuNetDetector, portrait: Image) -> None:
        before = portrait.copy()
        yunet.detect(Frame(portrait))
        yunet.detect(Frame(portrait), FACE)
        assert np.array_equal(portrait, before)

    def test_cobbles_are_no_faces(self, still: YuNetDetector) -> None:
        from experiments.yunet import draw_cobbles

        for size in (14, 24):
            assert still.detect(Frame(draw_cobbles(np.random.default_rng(0), size))) == ()


def test_a_small_box_needs_a_higher_score() -> None:
    scores = [least_score(width) for width in (5, 16, 24, 32, 300)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == scores[1] > scores[2] > scores[3] == scores[4]


@present
class TestParts:
    @pytest.mark.parametrize("shift", [(0, 0), (40, 0), (-40, 20), (0, -40), (30, 40)])
    def test_a_face_is_found_near_where_it_was(
        self, shift: tuple[int, int], yunet: YuNetDetector, portrait: Image
    ) -> None:
        size = FACE.height
        part = FACE.grown(round(yunet.traits.follow_margin * size)).clipped(512, 600)
        frame = Frame(moved(portrait, *shift))
        (face,) = yunet.detect(frame, part, min_size=size / 1.2, max_size=size * 1.2)
        assert face.box.iou(FaceBox(FACE.x + shift[0], FACE.y + shift[1], 170, 212)) > 0.7
        (eye, *_) = face.landmarks
        assert face.box.x < eye[0] < face.box.x + face.box.width / 2

    def test_a_part_without_a_face_has_none(self, yunet: YuNetDetector, portrait: Image) -> None:
        assert yunet.detect(Frame(portrait), FaceBox(0, 420, 100, 100)) == ()
        assert yunet.detect(Frame(portrait), FaceBox(0, 420, 100, 100), min_size=60, max_size=80) == ()

    def test_parts_of_many_sizes_need_few_networks(self, portrait: Image) -> None:
        detector = YuNetDetector(MODEL)
        for margin in range(20, 60, 2):
            (face,) = detector.detect(Frame(portrait), FACE.grown(margin), min_size=40)
            assert face.box.iou(FACE) > 0.7
        assert detector._network is not None
        assert len(detector._network._ready) <= 4
        detector.close()


def returns(monkeypatch: pytest.MonkeyPatch, detector: YuNetDetector, values: dict[int, float]) -> None:
    """Make OpenCV return one face, with some of its 15 numbers replaced."""
    row = np.array([[100, 80, 90, 110, *(150, 120) * 5, 0.9]], np.float32)
    for column, value in values.items():
        row[0, column] = value

    class Returns:
        def detect(self, pixels: Image) -> tuple[int, np.ndarray]:
            return 1, row

    monkeypatch.setattr(detector._network, "_prepare", lambda size: Returns())


@present
class TestFailure:
    def test_what_fails_inside_opencv_is_an_error_and_not_no_face(
        self, yunet: YuNetDetector, portrait: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_arguments: object) -> None:
            raise cv2.error(
                "OpenCV(4.14.0) /io/a.cpp:3: error: (-4:Insufficient memory) Failed\n in function 'f'"
            )

        monkeypatch.setattr(yunet._network, "_prepare", fail)
        with pytest.raises(DetectorError, match=r"YuNet failed on an image of .* pixels: Failed; "):
            yunet.detect(Frame(portrait))

    @pytest.mark.parametrize(
        ("column", "value"), [(14, np.nan), (0, np.nan), (4, np.inf), (2, 3000.0), (1, -1e9)]
    )
    def test_invalid_numbers_are_an_error_and_not_no_face(
        self,
        column: int,
        value: float,
        yunet: YuNetDetector,
        portrait: Image,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        returns(monkeypatch, yunet, {column: value})
        with pytest.raises(DetectorError, match="the model is damaged: its boxes are invalid; run: "):
            yunet.detect(Frame(portrait))

    @pytest.mark.parametrize("size", [(0, 40), (-5, 40), (0.2, 0.2)])
    def test_a_box_without_a_pixel_is_no_face(
        self,
        size: tuple[float, float],
        yunet: YuNetDetector,
        portrait: Image,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        returns(monkeypatch, yunet, {2: size[0], 3: size[1]})
        assert yunet.detect(Frame(portrait)) == ()

    def test_key_points_outside_the_image_and_eyes_that_coincide_are_kept(
        self, yunet: YuNetDetector, portrait: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        returns(monkeypatch, yunet, {4: -700.0, 5: 9000.0})
        (face,) = yunet.detect(Frame(portrait))
        assert face.landmarks[0][0] < 0
        assert face.landmarks[0][1] > portrait.shape[0]
        returns(monkeypatch, yunet, {4: 120.0, 5: 90.0, 6: 120.0, 7: 90.0})
        (face,) = yunet.detect(Frame(portrait))
        assert face.tilt == 0

    def test_a_box_larger_than_the_image_is_clipped_and_kept_for_the_crop(
        self, yunet: YuNetDetector, portrait: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        returns(monkeypatch, yunet, {0: -300.0, 1: -300.0, 2: 1400.0, 3: 1400.0})
        (face,) = yunet.detect(Frame(portrait))
        assert face.box == FaceBox(0, 0, 512, 600)
        assert face.outer is not None
        assert face.outer.width > 1300

    def test_a_closed_detector_is_an_error_and_not_no_face(self, portrait: Image) -> None:
        detector = YuNetDetector(MODEL)
        detector.close()
        detector.close()
        with pytest.raises(DetectorError, match="is closed"):
            detector.detect(Frame(portrait))


@present
class TestRuns:
    def test_a_followed_face_keeps_its_id_and_its_key_points_move_along(
        self, yunet: YuNetDetector, portrait: Image
    ) -> None:
        tracker = Tracker(yunet)
        small = np.asarray(cv2.resize(portrait, (320, 375)), np.uint8)
        ids, noses = set(), []
        for index, image in enumerate(drifting(small, 20, (640, 480), (40, 50))):
            (face,) = tracker.update(Frame(image, "", index, index / 25))
            ids.add(face.id)
            noses.append(face.detection.landmarks[2][0])
        assert len(ids) == 1
        assert noses[-1] - noses[0] == pytest.approx(4 * 19, abs=8)

    def test_rows_hold_the_key_points(self, portrait_path: Path) -> None:
        done = run_fer_edge(
            "image", portrait_path, "--detector", "yunet", "--detector-model", MODEL, "-r", "-"
        )
        assert (done.returncode, done.stderr) == (0, "")
        (row,) = read_rows(done.stdout)
        (face,) = row["faces"]
        assert list(face)[:3] == ["id", "box", "confidence"]
        assert len(face["landmarks"]) == 5
        assert face["confidence"] > 0.8

    def test_a_downloaded_model_is_found_and_listed(
        self, portrait_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        path = find_detectors_folder() / DETECTOR_FILES["yunet"].file_name
        path.parent.mkdir(parents=True)
        path.write_bytes(MODEL.read_bytes())
        assert run_fer_edge("image", portrait_path, "--detector", "yunet").returncode == 0
        assert str(path) in run_fer_edge("models").stdout
        shown = run_fer_edge("models", "yunet").stdout
        assert str(DETECTOR_FILES["yunet"].sha256) in shown
        assert "MIT" in shown

    def test_the_recognizer_gives_the_key_points(self, portrait: Image) -> None:
        with EmotionRecognizer(detector="yunet", detector_model=MODEL) as recognizer:
            (face,) = recognizer.analyze(portrait)
            assert len(face.landmarks) == 5
