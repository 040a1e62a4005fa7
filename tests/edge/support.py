"""Shared helpers of the runtime tests: fake sources and detectors, results, real videos, processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.base import DetectorTraits
from fer_edge.errors import DetectorError, SourceError
from fer_edge.models.spec import SPEC_FILE, ModelSpec
from fer_edge.rendering.view import View
from fer_edge.sources.base import Source, SourceItem
from fer_edge.types import (
    Detection,
    EmotionScores,
    FaceBox,
    FaceResult,
    Frame,
    FrameResult,
    Image,
    StreamInfo,
)

LABELS = ("sad", "happy")
"""The labels of the results made here."""

FACE_IN_PORTRAIT = FaceBox(150, 100, 230, 230)
"""Approximate face box in the portrait."""


# --- images ---


def noise(width: int = 64, height: int = 48, seed: int = 0) -> Image:
    """Return an image that cannot be compressed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def plain(value: int, width: int = 64, height: int = 48) -> Image:
    """Return an image of one gray level."""
    return np.full((height, width, 3), value, np.uint8)


def corners(width: int = 64, height: int = 48) -> Image:
    """Return a smooth image without symmetry: each corner has a different color."""
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    return np.asarray(cv2.resize(colors, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def moved(image: Image, x: int, y: int) -> Image:
    """Return the image shifted by some pixels, with its border repeated."""
    height, width = image.shape[:2]
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return np.asarray(
        cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def encode(suffix: str, image: NDArray[np.integer[Any]], *options: int) -> bytes:
    """Return the bytes of an image file."""
    done, content = cv2.imencode(suffix, image, options)
    assert done
    return content.tobytes()


def read_back(path: Path) -> Image:
    """Read an image file, which must be readable."""
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, np.uint8)


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file, creating parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names_in(folder: Path) -> list[str]:
    """Return every name in a folder, including hidden ones."""
    return sorted(path.name for path in folder.iterdir())


# --- videos ---

CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}


def write_video(path: Path, images: Iterable[Image], rate: float = 10.0, *, size: tuple[int, int]) -> Path:
    """Write a real video; an .avi contains JPEGs and an index with the frame count."""
    backend = cv2.CAP_OPENCV_MJPEG if path.suffix == ".avi" else cv2.CAP_FFMPEG
    writer = cv2.VideoWriter(
        str(path), backend, cv2.VideoWriter.fourcc(*CODECS[path.suffix]), float(rate), size
    )
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path


def read_video(path: Path) -> tuple[list[Image], float]:
    """Return the frames of a video and its frame rate."""
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    frames = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    capture.release()
    return frames, rate


def drifting(image: Image, frames: int, size: tuple[int, int], start: tuple[int, int]) -> Iterator[Image]:
    """Return frames in which an image drifts to the right by four pixels per frame."""
    height, width = image.shape[:2]
    for number in range(frames):
        frame = plain(90, *size)
        x, y = start[0] + 4 * number, start[1]
        frame[y : y + height, x : x + width] = image
        yield frame


# --- sources and detectors ---


class ItemSource:
    """A source of given items; records whether iteration ended and whether it was closed."""

    def __init__(self, items: Iterable[SourceItem], *, live: bool = False, still: bool = False) -> None:
        self.info = StreamInfo(
            name="items", live=live, still=still, frame_rate=None if live or still else 25.0
        )
        self.ended = self.closed = False
        self._items = items

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def __iter__(self) -> Iterator[SourceItem]:
        try:
            yield from self._items
        finally:
            self.ended = True


class FixedDetector:
    """Detects the same faces in every search; fails from the frame whose first pixel is ``fails_at``.

    ``searched`` holds the first pixel of each frame that was searched as a whole.
    """

    name = "fixed"
    traits = DetectorTraits()

    def __init__(
        self,
        boxes: Sequence[FaceBox] = (FaceBox(0, 0, 60, 60), FaceBox(70, 10, 50, 50), FaceBox(130, 40, 40, 44)),
        *,
        fails_at: int | None = None,
    ) -> None:
        self.searched: list[int] = []
        self.closed = False
        self._faces = tuple(Detection(box) for box in boxes)
        self._fails_at = fails_at

    def detect(
        self,
        frame: Frame,
        roi: FaceBox | None = None,
        *,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> tuple[Detection, ...]:
        number = int(frame.image[0, 0, 0])
        if number == self._fails_at:
            raise DetectorError("the detector failed")
        if roi is None:
            self.searched.append(number)
        return self._faces

    def smallest_face(self, frame: Frame) -> int:
        return 24

    def close(self) -> None:
        self.closed = True


def take_frames(source: Source) -> tuple[list[Frame], SourceError | None]:
    """Return the frames of a source up to its end or error, and the error."""
    frames: list[Frame] = []
    try:
        with source:
            for frame in source:
                assert isinstance(frame, Frame)
                frames.append(frame)
    except SourceError as error:
        return frames, error
    return frames, None


# --- results ---


def numbered_frame(index: int, image: Image | None = None) -> Frame:
    """Return a frame of noise at 25 per second, with its number in the first pixel."""
    wall = noise(180, 100, seed=1_000_000)
    pixels = wall // 4 * 3 + noise(180, 100, seed=index) // 4 if image is None else image.copy()
    pixels[0, 0, 0] = index % 256
    return Frame(pixels, "items", index, index / 25)


def numbered_frames(count: int, *, then: BaseException | None = None) -> Iterator[Frame]:
    """Yield numbered frames of noise, then raise an optional error."""
    for index in range(count):
        yield numbered_frame(index)
    if then is not None:
        raise then


def make_face(
    box: FaceBox,
    label: str = "happy",
    score: float = 0.75,
    *,
    number: int = 0,
    confidence: float | None = None,
) -> FaceResult:
    """Return a face with a score for one label, and the rest for another."""
    labels = LABELS if label in LABELS else ("other", label)
    values = tuple(score if name == label else 1 - score for name in labels)
    return FaceResult(number, Detection(box, confidence), EmotionScores(labels, values), label)


def make_result(
    index: int = 0,
    *,
    faces: int = 1,
    source: str = "clip.mp4",
    time_s: float | None = None,
    image: Image | None = None,
) -> FrameResult:
    """Return a result with happy faces."""
    frame = Frame(noise() if image is None else image, source, index, time_s)
    found = [make_face(FaceBox(number, 2, 30, 40), number=number) for number in range(faces)]
    return FrameResult(frame, tuple(found))


def make_view(index: int = 0, **options: Any) -> View:
    """Return the view of such a result."""
    return View(make_result(index, **options))


# --- models ---


def replace_spec(path: Path, spec: ModelSpec) -> Path:
    """Replace the spec in a model file."""
    with zipfile.ZipFile(path) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    path.write_bytes(path.read_bytes()[:start])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SPEC_FILE, spec.to_json())
    return path


# --- threads and processes ---


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition becomes true."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


FerEdge = Callable[..., subprocess.CompletedProcess[str]]
"""``fer-edge`` with any arguments: its output and exit status."""


def run_fer_edge(
    *arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run ``fer-edge`` to its end in a separate process without a display."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    return subprocess.run(
        [sys.executable, "-m", "fer_edge", *map(str, arguments)],
        **{"capture_output": True, "text": True, "timeout": 120} | options,
        check=False,
        cwd=cwd,
        env=environment | (env or {}),
    )


def run_shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash to its end; ``fer-edge`` in it means this program."""
    line = command.replace("fer-edge", f"'{sys.executable}' -m fer_edge")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=120, check=False
    )


def run_python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a Python script to its end in a separate process."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read_rows(text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file."""
    return [json.loads(line) for line in text.splitlines()]
