"""``fer-edge benchmark --detectors``: the comparison, and the output when only one detector is available."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.benchmark import detectors as comparing
from fer_edge.benchmark.detectors import (
    Comparison,
    DetectorResults,
    build_comparison_summary,
    compare_detectors,
    recommend_detector,
    render_comparison,
)
from fer_edge.cli.app import run_command
from fer_edge.cli.main import cli
from fer_edge.detectors.base import Detector
from fer_edge.detectors.full_frame import FullFrameDetector
from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import DetectorError, SourceError, UsageError
from fer_edge.types import Detection, FaceBox, Frame, Image


@pytest.fixture(autouse=True)
def own_opencv_threads() -> Iterator[None]:
    """Restore the number of OpenCV threads after each test."""
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.fixture
def images(tmp_path: Path, portrait: Image) -> Path:
    """Return a folder with images of a face, two faces and a wall."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "face.png"), portrait)
    cv2.imwrite(str(folder / "faces.png"), np.hstack([portrait, portrait]))
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    return folder


class NarrowDetector(HaarDetector):
    """A detector that sees only the left half of an image."""

    name = "mediapipe"

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        return super().detect(Frame(np.ascontiguousarray(frame.image[:, : 1 + frame.size[0] // 2])))


def both(name: str, **options: object) -> Detector:
    """Return Haar, a stand-in for MediaPipe, and the detector that treats each image as a face."""
    known = {"haar": HaarDetector, "mediapipe": NarrowDetector}
    return known[name](still_image=True) if name in known else FullFrameDetector()


def test_the_faces_of_each_detector_and_of_both(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "create_detector", both)
    summary = build_comparison_summary(compare_detectors(str(images)))
    haar, narrow = summary["detectors"]
    assert (haar["name"], haar["faces"], haar["pictures_with_faces"]) == ("haar", 3, 2)
    assert (narrow["name"], narrow["faces"], narrow["pictures_with_faces"]) == ("mediapipe", 1, 1)
    assert summary["same_faces"] == [{"detectors": ["haar", "mediapipe"], "faces": 1}]
    assert (summary["pictures"], summary["left_out"], summary["errors"]) == (3, {}, [])
    assert haar["detect"]["p95_ms"] >= haar["detect"]["p50_ms"] > 0
    lines = render_comparison(compare_detectors(str(images)))
    assert "haar and mediapipe agree on 1 face: 33% of haar's, 100% of mediapipe's" in lines


def test_a_missing_detector_is_named_with_the_remedy(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    comparison = compare_detectors(str(images))
    assert "haar" in comparison.found
    assert "fer-edge get mediapipe" in comparison.left_out["mediapipe"]
    assert "fer-edge get yunet" in comparison.left_out["yunet"]
    assert "none" not in comparison.left_out
    assert any(line.startswith("mediapipe is not included: ") for line in render_comparison(comparison))


def test_a_detector_whose_model_is_named_has_to_work(images: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DetectorError, match=r"nothere\.tflite: no detector works with it .yunet: .*; mediapipe: "
    ):
        compare_detectors(str(images), model=tmp_path / "nothere.tflite")


def test_a_detector_s_own_failure_is_an_error(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(name: str, **options: object) -> Detector:
        raise DetectorError if name == "haar" else UsageError

    monkeypatch.setattr(comparing, "create_detector", failing)
    with pytest.raises(DetectorError):
        compare_detectors(str(images))


def test_a_folder_that_holds_no_readable_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("not an image")
    with pytest.raises(SourceError, match="none of the images could be read"):
        compare_detectors(str(tmp_path))


def test_the_command_prints_it_writes_it_and_names_what_it_could_not_read(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "broken.png").write_text("not an image")
    summary = tmp_path / "summary.json"
    arguments = ["benchmark", "--detectors", str(images), "--summary", str(summary)]
    assert run_command(cli, arguments, "fer-edge") == 1
    printed = capsys.readouterr()
    assert "3 images" in printed.out
    assert "broken.png" in printed.err
    assert json.loads(summary.read_text())["pictures"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--detectors", ".", "-m", "default"],
        ["--detectors", ".", "--video", "a.mp4"],
        ["--detector-model", "a"],
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(cli, ["benchmark", *arguments], "fer-edge") == 2
    assert "leave" in capsys.readouterr().err


def compared(**detectors: tuple[int, float]) -> Comparison:
    """Return a comparison on 100 images from each detector's images with a face and milliseconds per search."""
    found = {}
    for name, (count, milliseconds) in detectors.items():
        found[name] = DetectorResults(faces=count, images=count)
        found[name].searches.add(milliseconds / 1000)
    return Comparison("photos", found, {}, {}, images=100)


@pytest.mark.parametrize(
    ("detectors", "name", "why"),
    [
        (
            {"haar": (70, 200), "yunet": (99, 30)},
            "yunet",
            "99 of 100 images (the most), the others find",
        ),
        ({"haar": (99, 20), "yunet": (100, 30)}, "haar", "(the most: 100), the fastest"),
        ({"haar": (90, 20), "yunet": (100, 30)}, "yunet", "the others find fewer"),
        ({"haar": (50, 20)}, None, "fer-edge get yunet"),
        ({"haar": (0, 20), "yunet": (0, 30)}, None, "No detector found a face"),
    ],
)
def test_it_recommends_a_detector(
    detectors: dict[str, tuple[int, float]], name: str | None, why: str
) -> None:
    comparison = compared(**detectors)
    recommended, reason = recommend_detector(comparison)
    assert recommended == name
    assert why in reason
    assert render_comparison(comparison)[-1] == reason
    assert build_comparison_summary(comparison)["recommended"] == name
