"""MediaPipe as the detector: errors without it, and its results if it is installed.

The latter requires ``pip install -e '.[mediapipe]'`` and the path of the model in FER_MEDIAPIPE_MODEL.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from fer_edge import EmotionRecognizer
from fer_edge.classification.preprocess import compute_crop_bounds
from fer_edge.detectors.mediapipe import FRAMING, MediaPipeDetector, _detection
from fer_edge.detectors.registry import create_detector
from fer_edge.errors import DetectorError, MissingExtraError, ModelError, UsageError
from fer_edge.models.detector_files import DETECTOR_FILES, find_detectors_folder
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import Crop
from fer_edge.types import Detection, FaceBox, Frame, Image
from tests.edge.support import FACE_IN_PORTRAIT as FACE
from tests.edge.support import moved, read_rows, run_fer_edge, run_python

MODEL = os.environ.get("FER_MEDIAPIPE_MODEL", "")
REMEDY = "run: fer-edge get mediapipe"

installed = pytest.mark.skipif(
    not MODEL or importlib.util.find_spec("mediapipe") is None,
    reason="MediaPipe is not installed, or FER_MEDIAPIPE_MODEL does not name its model",
)


@pytest.fixture
def some_file(tmp_path: Path) -> Path:
    path = tmp_path / "detector.tflite"
    path.write_text("something")
    return path


@pytest.fixture(autouse=True)
def no_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def download(model: bytes) -> None:
    """Store a model where ``fer-edge get`` puts it."""
    path = find_detectors_folder() / DETECTOR_FILES["mediapipe"].file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(model)


class TestWithoutMediaPipe:
    def test_it_needs_a_model_and_says_how_it_is_had(self) -> None:
        with pytest.raises(ModelError, match=f"mediapipe has not been downloaded; {REMEDY}"):
            create_detector("mediapipe")

    def test_a_downloaded_model_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        download(b"a model")
        monkeypatch.setitem(sys.modules, "mediapipe", None)
        with pytest.raises(MissingExtraError):
            create_detector("mediapipe")

    def test_a_web_page_is_no_model(self, some_file: Path) -> None:
        some_file.write_text("<html></html>")
        with pytest.raises(DetectorError, match=f"got a web page.*; {REMEDY}"):
            create_detector("mediapipe", model=some_file)

    @pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
    def test_a_missing_model_is_an_error(self, content: bytes | None, tmp_path: Path) -> None:
        path = tmp_path / "detector.tflite"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(
            DetectorError, match=rf"detector\.tflite: .* the file does not exist or is empty.*{REMEDY}"
        ):
            create_detector("mediapipe", model=path)

    def test_a_folder_is_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(DetectorError, match="does not exist or is empty"):
            create_detector("mediapipe", model=tmp_path)

    @pytest.mark.parametrize("name", ["haar", "none"])
    def test_other_detectors_take_no_model(self, name: str, some_file: Path) -> None:
        with pytest.raises(
            UsageError, match=rf"the detector {name} does not take a model file; .*detector.tflite"
        ):
            create_detector(name, model=some_file)

    def test_not_installed_it_names_the_extra(self, some_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "mediapipe", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'fer-edge\[mediapipe\]'"):
            create_detector("mediapipe", model=some_file)

    @pytest.mark.parametrize(
        "failure",
        [
            "ImportError('libGL.so.1: cannot open\\nshared object file')",
            "OSError('PortAudio library not found')",
            "ModuleNotFoundError('No module named sounddevice', name='sounddevice')",
        ],
    )
    def test_an_installation_that_does_not_load_is_an_error(
        self, failure: str, some_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "mediapipe.py").write_text(f"raise {failure}")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "mediapipe", raising=False)
        with pytest.raises(DetectorError, match=r"does not load \(.*\); reinstall it: pip install") as caught:
            create_detector("mediapipe", model=some_file)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("arguments", "status", "reason"),
        [
            (["--detector", "mediapipe"], 1, "has not been downloaded"),
            (["--detector", "mediapipe", "--detector-model", "nowhere.tflite"], 1, "nowhere.tflite"),
            (["--detector-model", "some.tflite"], 2, "does not take a model file"),
            (["--detector", "none", "--detector-model", "some.tflite"], 2, "does not take a model file"),
        ],
    )
    def test_bad_use_is_one_line_with_the_documented_status(
        self, arguments: list[str], status: int, reason: str, portrait_path: Path, tmp_path: Path
    ) -> None:
        done = run_fer_edge("image", portrait_path, *arguments, cwd=tmp_path)
        assert done.returncode == status
        (line,) = done.stderr.splitlines()
        assert line.startswith("Error: ")
        assert reason in line
        assert done.stdout == ""

    @pytest.mark.parametrize(("score", "width"), [(float("nan"), 50), (float("inf"), 50), (0.9, 10**7)])
    def test_invalid_numbers_are_an_error_and_not_no_face(self, score: float, width: int) -> None:
        box = SimpleNamespace(origin_x=10, origin_y=10, width=width, height=50)
        found = SimpleNamespace(bounding_box=box, categories=[SimpleNamespace(score=score)], keypoints=None)
        frame = Frame(np.zeros((200, 300, 3), np.uint8))
        with pytest.raises(DetectorError, match=f"its scores or boxes are invalid; {REMEDY}"):
            _detection(found, frame.box, frame)

    def test_the_recognizer_takes_the_same_options(self, some_file: Path) -> None:
        with pytest.raises(ModelError, match="has not been downloaded"):
            EmotionRecognizer(detector="mediapipe")
        with pytest.raises(UsageError, match="does not take a model file"):
            EmotionRecognizer(detector_model=some_file)

    def test_the_detector_is_imported_only_if_chosen(self, portrait_path: Path) -> None:
        code = (
            "import sys, cv2, fer_edge.detectors.mediapipe; from fer_edge import EmotionRecognizer\n"
            f"EmotionRecognizer().analyze(cv2.imread({str(portrait_path)!r}))\n"
            "print([name for name in sys.modules if name.startswith('mediapipe')])"
        )
        done = run_python(code)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[]"


@pytest.fixture
def mediapipe() -> Iterator[MediaPipeDetector]:
    detector = MediaPipeDetector(MODEL)
    yield detector
    detector.close()


def shown(face: Detection) -> FaceBox:
    """Return the network input for a face if the model uses Haar's boxes unchanged."""
    left, top, right, bottom = compute_crop_bounds(face, Crop())
    return FaceBox(left, top, right - left, bottom - top)


@installed
class TestDetection:
    def test_the_portrait_has_one_face_that_is_shown_as_haar_s_is(
        self, mediapipe: MediaPipeDetector, portrait: Image
    ) -> None:
        (face,) = mediapipe.detect(Frame(portrait))
        assert shown(face).iou(FACE) > 0.75
        assert face.framing == FRAMING
        assert face.score is not None
        assert 0.5 < face.score <= 1

    def test_a_face_has_its_key_points_inside_its_box(
        self, mediapipe: MediaPipeDetector, portrait: Image
    ) -> None:
        (face,) = mediapipe.detect(Frame(portrait))
        assert len(face.landmarks) == 6
        box = face.box.grown(face.box.width // 4)  # the ears are outside the box
        assert all(
            box.x < x < box.x + box.width and box.y < y < box.y + box.height for x, y in face.landmarks
        )

    def test_the_same_image_gives_the_same_faces(self, mediapipe: MediaPipeDetector, portrait: Image) -> None:
        assert mediapipe.detect(Frame(portrait)) == mediapipe.detect(Frame(portrait))

    @pytest.mark.parametrize("shift", [(-140, 0), (120, 0), (0, -90), (0, 250), (-170, -120), (160, 300)])
    def test_a_face_cut_off_by_the_image_gives_a_box_inside_it(
        self, shift: tuple[int, int], mediapipe: MediaPipeDetector, portrait: Image
    ) -> None:
        for face in mediapipe.detect(Frame(moved(portrait, *shift))):
            assert face.box.clipped(512, 600) == face.box

    def test_several_faces_come_largest_first(self, mediapipe: MediaPipeDetector, portrait: Image) -> None:
        small = cv2.resize(portrait, None, fx=0.7, fy=0.7)
        below = cv2.copyMakeBorder(small, 0, 600 - small.shape[0], 0, 0, cv2.BORDER_REPLICATE)
        faces = mediapipe.detect(Frame(np.asarray(np.hstack([below, portrait]), np.uint8)))
        assert [face.box.x > small.shape[1] for face in faces] == [True, False]

    def test_pixels_that_do_not_lie_in_a_row_are_read_right(
        self, mediapipe: MediaPipeDetector, portrait: Image
    ) -> None:
        view = portrait[40:560, 500:10:-1]
        assert not view.flags.c_contiguous
        assert len(mediapipe.detect(Frame(view))) == 1
        assert mediapipe.detect(Frame(view)) == mediapipe.detect(Frame(np.ascontiguousarray(view)))

    @pytest.mark.parametrize(("min_face", "found"), [(24, 1), (180, 1), (300, 0), (100_000, 0)])
    def test_a_face_below_the_smallest_is_not_found(self, min_face: int, found: int, portrait: Image) -> None:
        limited = create_detector("mediapipe", min_face=min_face, model=MODEL)
        assert len(limited.detect(Frame(portrait))) == found
        limited.close()

    @pytest.mark.parametrize("shape", [(1, 1), (10, 10), (1, 1000), (1000, 1), (480, 640)])
    def test_an_empty_image_has_no_face(self, shape: tuple[int, int], mediapipe: MediaPipeDetector) -> None:
        assert mediapipe.detect(Frame(np.full((*shape, 3), 128, np.uint8))) == ()

    def test_in_a_still_image_it_finds_smaller_faces_once_each(
        self, mediapipe: MediaPipeDetector, portrait: Image
    ) -> None:
        small = cv2.resize(portrait, (85, 100), interpolation=cv2.INTER_AREA)
        pair = np.hstack([small, small])
        image = np.asarray(cv2.copyMakeBorder(pair, 300, 300, 300, 300, cv2.BORDER_REPLICATE), np.uint8)
        still = create_detector("mediapipe", model=MODEL, still_image=True)
        assert mediapipe.detect(Frame(image)) == ()
        places = [FaceBox(326, 317, 38, 38), FaceBox(411, 317, 38, 38)]  # the face of the portrait at 1/6
        found = sorted(still.detect(Frame(image)), key=lambda face: face.box.x)
        assert [shown(face).iou(place) > 0.5 for face, place in zip(found, places, strict=True)] == [
            True,
            True,
        ]
        assert len(still.detect(Frame(portrait))) == 1
        still.close()

    @pytest.mark.parametrize("shape", [(1, 1), (10, 10), (1, 1000), (1000, 1), (480, 640)])
    def test_an_empty_still_image_has_no_face(self, shape: tuple[int, int]) -> None:
        still = create_detector("mediapipe", model=MODEL, still_image=True)
        assert still.detect(Frame(np.full((*shape, 3), 128, np.uint8))) == ()
        still.close()

    def test_the_image_is_not_changed(self, mediapipe: MediaPipeDetector, portrait: Image) -> None:
        before = portrait.copy()
        mediapipe.detect(Frame(portrait))
        mediapipe.detect(Frame(portrait), FACE)
        assert np.array_equal(portrait, before)


@installed
class TestParts:
    @pytest.mark.parametrize("shift", [(0, 0), (40, 0), (-40, 20), (0, -40), (30, 40)])
    def test_a_face_is_found_near_where_it_was(
        self, shift: tuple[int, int], mediapipe: MediaPipeDetector, portrait: Image
    ) -> None:
        (face,) = mediapipe.detect(Frame(portrait))
        box = face.box
        part = box.grown(round(mediapipe.traits.follow_margin * box.width)).clipped(512, 600)
        found = [near.box for near in mediapipe.detect(Frame(moved(portrait, *shift)), part)]
        now = max(found, key=box.iou)
        assert now.iou(FaceBox(box.x + shift[0], box.y + shift[1], box.width, box.height)) > 0.7
        assert now.clipped(512, 600) == now

    def test_a_part_without_a_face_has_none(self, mediapipe: MediaPipeDetector, portrait: Image) -> None:
        assert mediapipe.detect(Frame(np.full((600, 512, 3), 128, np.uint8)), FACE) == ()
        assert mediapipe.detect(Frame(portrait), FaceBox(0, 420, 100, 100)) == ()


@installed
class TestFailure:
    @pytest.mark.parametrize(
        "content", [b"no model", find_model().path.read_bytes()], ids=["text", "emotions"]
    )
    def test_a_file_that_is_no_face_detection_model_is_an_error(
        self, content: bytes, some_file: Path
    ) -> None:
        some_file.write_bytes(content)
        with pytest.raises(
            DetectorError, match=rf"detector\.tflite: not a MediaPipe .*, or damaged .*{REMEDY}"
        ) as caught:
            create_detector("mediapipe", model=some_file)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("start", range(30_000, 190_000, 40_000))
    def test_weights_that_are_no_numbers_are_an_error_and_not_no_face(
        self, start: int, some_file: Path
    ) -> None:
        content = bytearray(Path(MODEL).read_bytes())
        content[start : start + 256] = b"\xff" * 256
        some_file.write_bytes(content)
        with pytest.raises(DetectorError, match=rf"detector\.tflite: the model is damaged: .*; {REMEDY}"):
            create_detector("mediapipe", model=some_file)

    @pytest.mark.parametrize("length", [10, 1000, 100_000, 228_000])
    def test_a_model_that_is_cut_off_is_an_error(self, length: int, some_file: Path) -> None:
        some_file.write_bytes(Path(MODEL).read_bytes()[:length])
        with pytest.raises(DetectorError, match=rf"detector\.tflite: not a MediaPipe .*; {REMEDY}"):
            create_detector("mediapipe", model=some_file)

    def test_what_fails_inside_is_an_error_and_not_no_face(
        self, mediapipe: MediaPipeDetector, portrait: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mediapipe.tasks.python import vision

        def fail(_detector: object, _image: object) -> None:
            raise RuntimeError("Graph has errors:\nCalculator failed")

        monkeypatch.setattr(vision.FaceDetector, "detect", fail)
        with pytest.raises(DetectorError, match="failed: Graph has errors: Calculator failed"):
            mediapipe.detect(Frame(portrait))

    def test_a_closed_detector_is_an_error_and_not_no_face(self, portrait: Image) -> None:
        detector = MediaPipeDetector(MODEL)
        detector.close()
        detector.close()
        with pytest.raises(DetectorError, match="is closed"):
            detector.detect(Frame(portrait))


@installed
class TestCommandLine:
    def test_it_warns_of_telemetry_once_and_ends_cleanly(self, portrait_path: Path, tmp_path: Path) -> None:
        other = shutil.copy(portrait_path, tmp_path / "other.jpg")
        done = run_fer_edge(
            "image", portrait_path, other, "--detector", "mediapipe", "--detector-model", MODEL
        )
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("Warning: MediaPipe sends metrics")
        assert line.endswith("To avoid this, use the detector haar.")

    def test_a_downloaded_model_needs_no_option(self, portrait_path: Path) -> None:
        download(Path(MODEL).read_bytes())
        done = run_fer_edge("image", portrait_path, "--detector", "mediapipe", "-r", "-")
        assert done.returncode == 0
        assert len(read_rows(done.stdout)[0]["faces"][0]["landmarks"]) == 6

    def test_a_recognizer_with_two_detectors_warns_once(self, portrait_path: Path) -> None:
        code = (
            "import logging; logging.basicConfig(format='%(name)s: %(message)s')\n"
            "from fer_edge import EmotionRecognizer\n"
            f"with EmotionRecognizer(detector='mediapipe', detector_model={MODEL!r}) as recognizer:\n"
            f"    print([len(result.faces) for result in recognizer.stream({str(portrait_path)!r})])"
        )
        done = run_python(code)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "[1]"
        assert done.stderr.count("fer_edge.detectors.mediapipe: MediaPipe sends metrics") == 1
        assert "Traceback" not in done.stderr
