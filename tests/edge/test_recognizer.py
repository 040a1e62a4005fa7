"""The Python interface: images and videos in, faces and emotions out."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge import EmotionRecognizer, FaceResult, Frame, SkippedInput, View
from fer_edge.detectors.base import DetectorTraits
from fer_edge.detectors.full_frame import EXACT
from fer_edge.errors import (
    DetectorError,
    FerEdgeError,
    ModelError,
    OutputError,
    SourceError,
    SourceLostError,
    UsageError,
)
from fer_edge.models.find_model import find_model
from fer_edge.models.spec import FER2013_LABELS
from fer_edge.sources.base import SourceItem
from fer_edge.types import Detection, Discontinuity, FaceBox, Image, StreamInfo
from tests.edge.support import ItemSource, drifting, names_in, read_back, run_python, write_video


@pytest.fixture(scope="module")
def recognizer() -> Iterator[EmotionRecognizer]:
    with EmotionRecognizer() as shared:
        yield shared


@pytest.fixture
def portrait(portrait: Image) -> Image:
    """Return the portrait at half size, to save time."""
    return np.asarray(cv2.resize(portrait, (256, 300), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, portrait_path: Path) -> Path:
    """Write a real video of the portrait drifting to the right: twelve frames, ten per second."""
    small = np.asarray(cv2.resize(read_back(portrait_path), (256, 300)), np.uint8)
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, drifting(small, 12, (400, 320), (20, 10)), 10, size=(400, 320))


class TestAnalyze:
    def test_the_portrait_has_one_face(self, recognizer: EmotionRecognizer, portrait: Image) -> None:
        (face,) = recognizer.analyze(portrait)
        assert isinstance(face, FaceResult)
        assert face.id == 0
        assert face.box.iou(FaceBox(75, 50, 115, 115)) > 0.7
        assert face.emotion == face.label == FER2013_LABELS[int(np.argmax(face.scores.values))]
        assert sum(face.scores.values) == pytest.approx(1, abs=1e-3)
        assert face.score == max(face.scores.values)

    def test_several_faces_come_largest_first_with_ids_from_zero(
        self, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        small = cv2.copyMakeBorder(
            cv2.resize(portrait, None, fx=0.6, fy=0.6), 0, 120, 0, 0, cv2.BORDER_REPLICATE
        )
        both = np.asarray(np.hstack([np.asarray(small, np.uint8), portrait]), np.uint8)
        for _ in range(2):
            faces = recognizer.analyze(both)
            assert [face.id for face in faces] == [0, 1]
            assert faces[0].box.width > faces[1].box.width
            assert faces[0].box.x > faces[1].box.x

    def test_an_image_without_faces_has_no_faces(self, recognizer: EmotionRecognizer) -> None:
        assert recognizer.analyze(np.full((480, 640, 3), 128, np.uint8)) == ()

    @pytest.mark.parametrize("shape", [(1, 1), (1, 300), (23, 23), (5, 2000)])
    def test_a_tiny_image_has_no_faces(self, shape: tuple[int, int], recognizer: EmotionRecognizer) -> None:
        assert recognizer.analyze(np.zeros((*shape, 3), np.uint8)) == ()

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((48, 48), np.uint8),
            np.zeros((48, 48, 1), np.uint8),
            np.zeros((48, 48, 4), np.uint8),
            np.zeros((2, 48, 48, 3), np.uint8),
            np.zeros((48, 48, 3), np.float32),
            np.zeros((48, 48, 3), np.uint16),
            np.zeros((48, 48, 3), np.int8),
            np.zeros((48, 48, 3), bool),
            np.zeros((0, 48, 3), np.uint8),
            np.zeros((48, 0, 3), np.uint8),
            np.zeros((0,), np.uint8),
        ],
        ids=lambda image: f"{image.dtype} {image.shape}",
    )
    def test_another_kind_of_array_is_refused(
        self, image: NDArray[Any], recognizer: EmotionRecognizer
    ) -> None:
        with pytest.raises(
            ValueError,
            match=r"expected a path or a uint8 image of shape \(height, width, 3\) in BGR",
        ):
            recognizer.analyze(image)

    @pytest.mark.parametrize("image", [None, 7, b"grace_hopper.jpg", [[[0, 0, 0]]]])
    def test_what_is_no_image_is_refused(self, image: Any, recognizer: EmotionRecognizer) -> None:
        with pytest.raises(
            ValueError,
            match=r"expected a path or a uint8 image of shape \(height, width, 3\) in BGR",
        ):
            recognizer.analyze(image)

    @pytest.mark.parametrize(
        "view",
        [
            lambda i: i[:, ::-1][:, ::-1],
            np.asfortranarray,
            lambda i: np.pad(i, ((9, 9), (9, 9), (0, 0)))[9:-9, 9:-9],
        ],
        ids=["reversed", "fortran", "part of another"],
    )
    def test_how_an_array_lies_in_memory_does_not_matter(
        self, view: Any, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        assert recognizer.analyze(view(portrait)) == recognizer.analyze(portrait)

    def test_the_image_is_not_changed_and_may_be_read_only(
        self, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        before = portrait.copy()
        portrait.flags.writeable = False
        assert recognizer.analyze(portrait)
        assert np.array_equal(portrait, before)

    def test_without_detection_the_image_is_the_face(self, portrait: Image) -> None:
        with EmotionRecognizer(detector="none") as recognizer:
            (face,) = recognizer.analyze(portrait[50:170, 75:195])
        assert face.box == FaceBox(0, 0, 120, 120)
        assert face.detection.framing == EXACT

    def test_a_path_is_read_as_an_image(self, recognizer: EmotionRecognizer, portrait_path: Path) -> None:
        faces = recognizer.analyze(read_back(portrait_path))
        assert recognizer.analyze(portrait_path) == recognizer.analyze(str(portrait_path)) == faces

    @pytest.mark.parametrize("content", [None, b"not an image", b""])
    def test_a_file_that_is_not_an_image_is_an_error(
        self, content: bytes | None, recognizer: EmotionRecognizer, tmp_path: Path
    ) -> None:
        path = tmp_path / "face.jpg"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SourceError, match=r"face\.jpg"):
            recognizer.analyze(path)


class TestAnalyzeBatch:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_each_image_gives_the_result_of_analyze_in_order(
        self, threads: int, portrait: Image, portrait_path: Path
    ) -> None:
        images = [portrait, portrait_path, np.full((90, 120, 3), 128, np.uint8), str(portrait_path), portrait]
        with EmotionRecognizer(threads=threads) as recognizer:
            alone = [recognizer.analyze(image) for image in images]
            assert list(recognizer.analyze_batch(images)) == alone
        assert [len(faces) for faces in alone] == [1, 1, 0, 1, 1]

    def test_no_images_give_no_results(self, recognizer: EmotionRecognizer) -> None:
        assert list(recognizer.analyze_batch([])) == []

    def test_images_are_taken_as_they_are_needed(
        self, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        endless = (portrait for _ in count())
        assert len(list(islice(recognizer.analyze_batch(endless), 3))) == 3

    def test_what_cannot_be_read_is_an_error_after_those_before_it(
        self, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        results = recognizer.analyze_batch([portrait, "missing.jpg", portrait])
        assert next(results)
        with pytest.raises(SourceError, match=r"missing\.jpg"):
            next(results)

    @pytest.mark.parametrize("images", ["face.jpg", Path("face.jpg"), np.zeros((9, 9, 3), np.uint8)])
    def test_one_picture_is_refused(self, images: Any, recognizer: EmotionRecognizer) -> None:
        with pytest.raises(ValueError, match="use analyze"):
            next(recognizer.analyze_batch(images))


class LeftHalf:
    """A detector that reports the left half of each frame as a face; records whether it was closed."""

    name = "left half"
    traits = DetectorTraits(tracked=False)
    closed = False

    def detect(
        self, frame: Frame, roi: FaceBox | None = None, **limits: float | None
    ) -> tuple[Detection, ...]:
        width, height = frame.size
        return (Detection(FaceBox(0, 0, width // 2, height)),)

    def smallest_face(self, frame: Frame) -> int:
        return frame.size[0] // 2

    def close(self) -> None:
        self.closed = True


class TestOwnDetector:
    def test_it_is_used_for_images_and_videos_and_stays_open(self, portrait: Image, clip: Path) -> None:
        detector = LeftHalf()
        with EmotionRecognizer(detector=detector) as recognizer:
            (face,) = recognizer.analyze(portrait)
            boxes = {result.faces[0].box for result in recognizer.stream(clip)}
        assert face.box == FaceBox(0, 0, 128, 300)
        assert boxes == {FaceBox(0, 0, 200, 320)}
        assert not detector.closed

    @pytest.mark.parametrize("options", [{"min_face": 40}, {"detector_model": "face.onnx"}])
    def test_options_that_it_would_not_see_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match="do not apply to a detector object"):
            EmotionRecognizer(detector=LeftHalf(), **options)

    def test_one_that_lacks_a_part_of_the_interface_is_refused(self) -> None:
        class Half:
            name = "half"

            def detect(self, frame: Frame) -> tuple[Detection, ...]:
                return ()

        with pytest.raises(UsageError, match="Half is not a Detector: it has no 'traits'"):
            EmotionRecognizer(detector=Half())  # type: ignore[arg-type]

    def test_one_that_fails_on_an_image_of_a_folder_ends_the_run_there(
        self, portrait: Image, tmp_path: Path
    ) -> None:
        class Fails(LeftHalf):
            def detect(self, frame: Frame, *rest: Any, **limits: Any) -> tuple[Detection, ...]:
                if frame.source.endswith("2.png"):
                    raise RuntimeError("out of\nmemory")
                return super().detect(frame, *rest, **limits)

        for name in ("1.png", "2.png", "3.png"):
            cv2.imwrite(str(tmp_path / name), portrait)
        with EmotionRecognizer(detector=Fails()) as recognizer:
            results = recognizer.stream(tmp_path)
            assert Path(next(results).frame.source).name == "1.png"
            with pytest.raises(
                DetectorError, match=r"2\.png: the detector left half failed: RuntimeError: out of memory$"
            ):
                next(results)

    @pytest.mark.parametrize("detector", [None, 3, LeftHalf.detect])
    def test_another_object_is_refused(self, detector: Any) -> None:
        with pytest.raises(UsageError, match="expected a detector's name or a Detector"):
            EmotionRecognizer(detector=detector)


class TestStream:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_every_frame_of_a_video_comes_with_its_face(self, threads: int, clip: Path) -> None:
        with EmotionRecognizer(threads=threads) as recognizer:
            results = list(recognizer.stream(clip))
        assert [result.frame.index for result in results] == list(range(12))
        assert [result.frame.time_s for result in results] == pytest.approx([n / 10 for n in range(12)])
        assert [[face.id for face in result.faces] for result in results] == [[0]] * 12

    def test_an_image_gives_the_result_of_analyze(
        self, recognizer: EmotionRecognizer, portrait: Image, tmp_path: Path
    ) -> None:
        path = str(tmp_path / "face.png")
        cv2.imwrite(path, portrait)
        (result,) = recognizer.stream(path)
        assert result.faces == recognizer.analyze(portrait)
        assert (result.frame.source, result.frame.time_s) == (path, None)

    def test_a_folder_gives_its_images_in_order(
        self, recognizer: EmotionRecognizer, portrait: Image, tmp_path: Path
    ) -> None:
        for name in ("b.png", "a.jpg"):
            cv2.imwrite(str(tmp_path / name), portrait)
        results = list(recognizer.stream(tmp_path))
        assert [result.frame.source for result in results] == [
            str(tmp_path / name) for name in ("a.jpg", "b.png")
        ]
        assert [[face.id for face in result.faces] for result in results] == [[0], [1]]

    def test_an_unreadable_image_is_an_error_after_those_before_it(
        self, recognizer: EmotionRecognizer, portrait: Image, tmp_path: Path
    ) -> None:
        cv2.imwrite(str(tmp_path / "a.png"), portrait)
        (tmp_path / "b.png").write_text("not an image")
        results = recognizer.stream(tmp_path)
        assert next(results).frame.source.endswith("a.png")
        with pytest.raises(SourceError, match=r"b\.png: cannot read image"):
            next(results)

    @pytest.mark.parametrize("name", ["missing.mp4", "missing.jpg", "missing", "empty folder"])
    def test_a_missing_file_is_an_error(
        self, name: str, recognizer: EmotionRecognizer, tmp_path: Path
    ) -> None:
        (tmp_path / "empty folder").mkdir()
        with pytest.raises(SourceError):
            next(recognizer.stream(tmp_path / name))

    def test_a_video_is_not_searched_as_thoroughly_as_an_image(self, portrait: Image, tmp_path: Path) -> None:
        small = cv2.resize(portrait, (86, 100), interpolation=cv2.INTER_AREA)
        scene = np.asarray(cv2.copyMakeBorder(small, 300, 300, 300, 300, cv2.BORDER_REPLICATE), np.uint8)
        cv2.imwrite(str(tmp_path / "scene.png"), scene)
        write_video(tmp_path / "scene.mp4", [scene] * 3, size=(686, 700))
        with EmotionRecognizer(threads=1) as recognizer:
            (result,) = recognizer.stream(tmp_path / "scene.png")
            assert len(result.faces) == 1
            assert [len(frame.faces) for frame in recognizer.stream(tmp_path / "scene.mp4")] == [0, 0, 0]

    def test_a_process_ends_in_order_while_a_stream_is_unfinished(self, clip: Path) -> None:
        # Its threads are usually inside OpenCV, and would abort the interpreter at exit.
        program = (
            "import sys\n"
            "from fer_edge import EmotionRecognizer\n"
            "with EmotionRecognizer(threads=2) as recognizer:\n"
            "    results = recognizer.stream(sys.argv[1])\n"
            "    next(results)\n"
        )
        for _ in range(3):
            done = run_python(program, clip)
            assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("source", [None, 3.5, [np.zeros((9, 9, 3), np.uint8)]])
    def test_what_is_no_source_is_refused(self, source: Any, recognizer: EmotionRecognizer) -> None:
        with pytest.raises(ValueError, match="expected a path, a URL, a camera's index or a source, got"):
            next(recognizer.stream(source))

    def test_streams_can_be_left_early_and_started_again(
        self, recognizer: EmotionRecognizer, clip: Path
    ) -> None:
        runs = []
        for _ in range(3):
            stream = recognizer.stream(clip)
            runs.append([result.faces for result in islice(stream, 3)])
            stream.close()
        assert runs[0] == runs[1] == runs[2]

    def test_analyze_works_while_streaming(
        self, recognizer: EmotionRecognizer, clip: Path, portrait: Image
    ) -> None:
        alone = recognizer.analyze(portrait)
        assert all(recognizer.analyze(portrait) == alone for _ in islice(recognizer.stream(clip), 4))

    def test_smoothing_changes_scores(self, clip: Path) -> None:
        with EmotionRecognizer(smoothing=1.0) as smooth, EmotionRecognizer() as plain:
            runs = [[r.faces[0].scores.values for r in each.stream(clip)] for each in (smooth, plain)]
        assert runs[0][0] == runs[1][0]
        assert np.std(runs[0], axis=0).sum() < np.std(runs[1], axis=0).sum()

    def test_min_face_changes_what_is_found(self, clip: Path) -> None:
        with EmotionRecognizer(min_face=300) as blind:
            assert [result.faces for result in blind.stream(clip)] == [()] * 12

    def test_a_custom_source(self, recognizer: EmotionRecognizer, portrait: Image) -> None:
        class Screenshots(ItemSource):
            def __init__(self) -> None:
                super().__init__([])
                self.info = StreamInfo(name="screen", still=True)

            def __iter__(self) -> Iterator[SourceItem]:
                yield Frame(portrait, "screen")
                raise SourceLostError("the screen was locked")

        source = Screenshots()
        results = recognizer.stream(source)
        assert next(results).faces == recognizer.analyze(portrait)
        with pytest.raises(SourceLostError, match="locked"):
            next(results)
        assert source.closed

    def test_a_custom_source_may_report_discontinuities(
        self, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        frames = [Frame(portrait, "mine", index, index / 10) for index in range(4)]
        source = ItemSource([*frames[:2], Discontinuity("cut"), *frames[2:]])
        results = list(recognizer.stream(source))
        assert [[face.id for face in result.faces] for result in results] == [[0], [0], [1], [1]]
        assert source.closed


class TestMaking:
    def test_it_knows_its_labels(self, recognizer: EmotionRecognizer) -> None:
        assert recognizer.labels == FER2013_LABELS

    def test_a_model_is_named_or_a_file(self, portrait: Image) -> None:
        found = []
        for model in (None, "default", find_model().path, str(find_model().path)):
            with EmotionRecognizer(model, threads=1) as recognizer:
                found.append(recognizer.analyze(portrait))
        assert found == [found[0]] * 4

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"model": "missing"}, ModelError),
            ({"model": "missing.tflite"}, ModelError),
            ({"model": __file__}, ModelError),
            ({"detector": "yolo"}, UsageError),
            ({"detector": "none", "min_face": 40}, UsageError),
            ({"min_face": 0}, UsageError),
            ({"min_face": "a"}, UsageError),
            ({"detect_every": 1.5}, UsageError),
            ({"threads": 1.5}, UsageError),
            ({"smoothing": "x"}, UsageError),
            ({"threads": 0}, UsageError),
            ({"threads": 100_000}, UsageError),
            ({"detect_every": 0}, UsageError),
            ({"smoothing": -1.0}, UsageError),
            ({"smoothing": float("nan")}, UsageError),
        ],
    )
    def test_impossible_options_are_refused(
        self, arguments: dict[str, Any], error: type[FerEdgeError]
    ) -> None:
        with pytest.raises(error):
            EmotionRecognizer(**arguments)

    def test_it_can_be_pickled_into_another_process(self, portrait_path: Path) -> None:
        with EmotionRecognizer("default", min_face=60, smoothing=0.2, threads=1) as recognizer:
            content = pickle.dumps(recognizer)
            expected = recognizer.analyze(portrait_path)
        program = (
            "import pickle, sys\n"
            "with pickle.loads(bytes.fromhex(sys.argv[1])) as recognizer:\n"
            "    print(recognizer.analyze(sys.argv[2]))\n"
        )
        done = run_python(program, content.hex(), portrait_path)
        assert done.stdout.strip() == repr(expected), done.stderr

    def test_a_closed_one_cannot_be_pickled(self) -> None:
        with EmotionRecognizer() as recognizer:
            pass
        with pytest.raises(ValueError, match="closed"):
            pickle.dumps(recognizer)

    def test_it_prints_nothing(self, portrait_path: Path) -> None:
        program = (
            "import sys\n"
            "from fer_edge import EmotionRecognizer\n"
            "with EmotionRecognizer() as recognizer:\n"
            "    assert recognizer.analyze(sys.argv[1])\n"
            "    assert list(recognizer.stream(sys.argv[1]))\n"
        )
        done = run_python(program, portrait_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_a_closed_one_says_so(self, portrait: Image) -> None:
        with EmotionRecognizer() as recognizer:
            pass
        with pytest.raises(ValueError, match="closed"):
            recognizer.analyze(portrait)
        with pytest.raises(ValueError, match="closed"):
            next(recognizer.stream(np.zeros(0)))  # type: ignore[arg-type]


class TestRun:
    def test_writes_what_the_command_line_writes(
        self, recognizer: EmotionRecognizer, clip: Path, tmp_path: Path
    ) -> None:
        targets = [tmp_path / "rows.jsonl", str(tmp_path / "rows.csv"), tmp_path / "annotated.mp4"]
        statistics = recognizer.run(clip, targets)
        assert (statistics.frames, statistics.faces, statistics.error_count) == (12, 12, 0)
        rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
        assert rows == [json.loads(json.dumps(result.as_record())) for result in recognizer.stream(clip)]
        assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + 12
        assert sum(1 for _ in recognizer.stream(tmp_path / "annotated.mp4")) == 12

    def test_a_folder_becomes_a_folder_and_unreadable_images_are_counted(
        self, recognizer: EmotionRecognizer, portrait: Image, tmp_path: Path
    ) -> None:
        (tmp_path / "photos").mkdir()
        cv2.imwrite(str(tmp_path / "photos/a.png"), portrait)
        (tmp_path / "photos/b.png").write_text("not an image")
        statistics = recognizer.run(tmp_path / "photos", [tmp_path / "out", tmp_path / "rows.jsonl"])
        assert (statistics.frames, statistics.error_count) == (1, 1)
        assert "b.png" in statistics.errors[0]
        assert names_in(tmp_path / "out") == ["a.png"]

    def test_images_of_a_custom_source_become_files_of_their_names(
        self, recognizer: EmotionRecognizer, portrait: Image, tmp_path: Path
    ) -> None:
        source = ItemSource([Frame(portrait, "a/one.jpg"), Frame(portrait, index=1)], still=True)
        recognizer.run(source, [tmp_path / "out"])
        assert names_in(tmp_path / "out") == ["1.png", "one.jpg"]
        with pytest.raises(OutputError, match="already exists"):
            recognizer.run(source, [tmp_path / "out"])

    def test_own_sinks_are_opened_and_closed_also_after_an_error(
        self, recognizer: EmotionRecognizer, portrait: Image
    ) -> None:
        class Failing:
            def __init__(self) -> None:
                self.calls: list[str] = []

            def open(self, stream: StreamInfo, stop: Event) -> None:
                self.calls.append(f"open {stream.name}")

            def write(self, result: View | SkippedInput) -> None:
                self.calls.append("write")
                raise OutputError("the disk is full")

            def close(self) -> None:
                self.calls.append("close")

        sink = Failing()
        with pytest.raises(OutputError, match="the disk is full"):
            recognizer.run(ItemSource([Frame(portrait)]), [sink])
        assert [call.split()[0] for call in sink.calls] == ["open", "write", "close"]

    def test_no_file_is_replaced_unless_asked(
        self, recognizer: EmotionRecognizer, clip: Path, tmp_path: Path
    ) -> None:
        rows = tmp_path / "rows.jsonl"
        rows.write_text("mine\n")
        with pytest.raises(OutputError, match="already exists"):
            recognizer.run(clip, [rows])
        assert rows.read_text() == "mine\n"
        recognizer.run(clip, [rows], overwrite=True)
        assert len(rows.read_text().splitlines()) == 12

    def test_an_input_is_never_an_output(
        self, recognizer: EmotionRecognizer, clip: Path, tmp_path: Path
    ) -> None:
        before = clip.read_bytes()
        link = tmp_path / "link.mp4"
        link.symlink_to(clip)
        for targets in ([clip], [link], [tmp_path / "a.csv", tmp_path / "b/../a.csv"]):
            with pytest.raises(UsageError, match=r"is an input or another output"):
                recognizer.run(clip, targets, overwrite=True)
        assert clip.read_bytes() == before
        assert names_in(tmp_path) == ["link.mp4"]

    def test_a_single_path_is_not_a_list(self, recognizer: EmotionRecognizer, clip: Path) -> None:
        with pytest.raises(ValueError, match="expected a list of sinks"):
            recognizer.run(clip, "rows.jsonl")

    def test_a_source_that_does_not_exist_leaves_no_files(
        self, recognizer: EmotionRecognizer, tmp_path: Path
    ) -> None:
        with pytest.raises(SourceError):
            recognizer.run(tmp_path / "missing.mp4", [tmp_path / "rows.jsonl", tmp_path / "a.mp4"])
        assert names_in(tmp_path) == []
