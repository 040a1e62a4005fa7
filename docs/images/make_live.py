"""Makes live-phone.png and live-desktop.png: ``python -m docs.images.make_live`` in the root of the repository.

The portraits of demo.jpg turn and breathe a little before the camera, so that there is something to see; what the page
shows of them is what the bundled model says. It needs Chromium.
"""

from __future__ import annotations

import io
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from threading import Event

import cv2
import numpy as np
from PIL import Image as Pillow

from bench.chromium import Browser
from fer_edge import EmotionRecognizer
from fer_edge.rendering.view import View
from fer_edge.sinks.base import RunStatus, SinkRequest
from fer_edge.sinks.http.sink import HttpSink
from fer_edge.types import FaceResult, Frame, FrameResult, Image, StreamInfo

HERE = Path(__file__).resolve().parent
PORTRAITS = HERE / "eileen_collins.jpg", HERE.parents[1] / "tests/data/grace_hopper.jpg"
STREAM = StreamInfo(name="/dev/video0", live=True)
RATE = 25.0
MINUTES = 2.6
FRAMES = 80
PHONE, DESKTOP = (390, 844), (1280, 760)


def compose(count: int, time_s: float) -> Image:
    """A scene with one or both portraits: uint8 (720, 960 or 1280, 3) BGR."""
    height, width = 720, 960 if count == 1 else 1280
    scene = np.full((height, width, 3), (64, 58, 52), np.uint8)
    for number in range(count):
        image = cv2.imread(str(PORTRAITS[number]))
        assert image is not None
        share = width // count
        scale = max(height / image.shape[0], share / image.shape[1]) * (
            1.05 + 0.04 * math.sin(time_s / 7 + number)
        )
        turn = 9 * math.sin(time_s / 13 + 2 * number)
        matrix = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] * 0.35), turn, scale)
        matrix[:, 2] += share / 2 - image.shape[1] / 2, height * 0.4 - image.shape[0] * 0.35
        part = cv2.warpAffine(image, matrix, (share, height), borderMode=cv2.BORDER_REPLICATE)
        light = 1 + 0.25 * math.sin(time_s / 17 + number)
        scene[:, number * share : (number + 1) * share] = cv2.convertScaleAbs(part, alpha=light)
    return scene


def analyze(recognizer: EmotionRecognizer, image: Image, count: int) -> tuple[FaceResult, ...]:
    """The largest faces from left to right, with ids in that order."""
    largest = sorted(recognizer.analyze(image), key=lambda face: -face.box.area)[:count]
    faces = sorted(largest, key=lambda face: face.box.x)
    return tuple(replace(face, id=number + 1) for number, face in enumerate(faces))


def show(browser: Browser, count: int, size: tuple[int, int], scheme: str, path: Path) -> None:
    """Serve a run of some minutes and take a screenshot of its page."""
    recognizer = EmotionRecognizer(min_face=130)
    status = RunStatus(frames=round(60 * MINUTES * RATE))
    labels = recognizer.analyze(compose(count, 0.0))[0].scores.labels
    sink = HttpSink(SinkRequest(target="0", stream=STREAM, labels=labels, status=status))
    sink.open(STREAM, Event())
    # The minutes before, like the frames shown, are analyzed as fast as possible.
    before = [analyze(recognizer, compose(count, half / 2), count) for half in range(round(120 * MINUTES))]
    times = [60 * MINUTES + index / RATE for index in range(FRAMES)]
    images = [compose(count, time_s) for time_s in times]
    results = [analyze(recognizer, image, count) for image in images]
    live = sink._live
    live._started = time.monotonic() - 60 * MINUTES
    for half, faces in enumerate(before):
        live._history.add(faces, half / 2)
    browser.resize(*size, phone=size[0] < 700)
    browser.prefer(scheme)
    browser.open(sink.url)
    browser.wait_for("document.querySelector('#state')?.dataset.state === 'starting'")
    for index, (time_s, image, faces) in enumerate(zip(times, images, results, strict=True)):
        sink.write(View(FrameResult(Frame(image, STREAM.name, index, time_s), faces)))
        status.frames += 1
        time.sleep(1 / RATE)
    screenshot = Pillow.open(io.BytesIO(browser.screenshot())).convert("RGB")
    # 256 colors; this method keeps the colors of small areas.
    few = screenshot.quantize(256, method=Pillow.Quantize.FASTOCTREE, dither=Pillow.Dither.FLOYDSTEINBERG)
    few.save(path, optimize=True)
    sink.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
        show(browser, 1, PHONE, "dark", HERE / "live-phone.png")
        show(browser, 2, DESKTOP, "light", HERE / "live-desktop.png")
