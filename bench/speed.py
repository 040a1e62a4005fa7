"""Measure the speed and memory of the runtime, mostly through the command line.

Variants that are compared run alternately, so that noise on the machine affects them equally.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np

from bench import media, reference
from fer_edge.classification.classifier import Classifier, open_interpreter
from fer_edge.classification.preprocess import extract_face, quantize_pixels
from fer_edge.models.find_model import find_model
from fer_edge.recognizer import EmotionRecognizer
from fer_edge.runtime.system import count_processors
from fer_edge.types import Detection, FaceBox, Frame, StreamInfo

FRAMES = 1020
REFERENCE_FRAMES = 60
ROUNDS = 7


def measure(video: Path | None, baseline: Path | None, yunet: Path | None) -> dict[str, Any]:
    """Return every figure by name; ``video`` is looped, and None composes one from the portrait.

    ``baseline`` is the ``fer-edge`` program of another version, which annotates the same video. Without ``yunet``, the
    YuNet model, its figures are omitted.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        if video is None:
            video = media.faces_video(folder / "once.mp4", 1, FRAMES)
        media.looped_video(clip, video, frames=FRAMES)
        return {
            "video": "composed from the portrait" if video.parent == folder else video.name,
            **video_speed(folder, clip, baseline, yunet),
            **many_faces(folder),
            **live_latency(clip),
            **classification(),
            **starts(folder, video),
            **memory(folder, video),
        }


def video_speed(folder: Path, clip: Path, baseline: Path | None, yunet: Path | None) -> dict[str, Any]:
    """Measure the frames per second of decoding, the reference loop, and ``fer-edge`` with each output.

    If available, rows are also measured with ``--detector yunet``, and annotated video is compared with FFmpeg at a
    fast preset and with the baseline version.
    """
    network = reference.float_network(folder)
    ours = [sys.executable, "-m", "fer_edge"]
    variants: dict[str, Callable[[], float]] = {
        "decode_fps": lambda: decode_fps(clip),
        "reference_fps": lambda: reference.frames_per_second(
            clip, network, REFERENCE_FRAMES, count_processors()
        ),
        "rows_fps": lambda: run_fps(folder, ours, "video", clip, "-r", folder / "rows.jsonl"),
        "annotated_fps": lambda: run_fps(folder, ours, "video", clip, "-o", folder / "out.mp4"),
    }
    if yunet is not None:
        detector = ("--detector", "yunet", "--detector-model", yunet)
        variants["yunet_rows_fps"] = lambda: run_fps(
            folder, ours, "video", clip, "-r", folder / "rows.jsonl", *detector
        )
    if (ffmpeg := shutil.which("ffmpeg")) is not None:
        variants["transcode_fps"] = lambda: transcode_fps(ffmpeg, clip, folder / "transcoded.mp4")
    if baseline is not None:
        variants["baseline_annotated_fps"] = lambda: run_fps(
            folder, [str(baseline)], "video", clip, "-o", folder / "out.mp4"
        )
    rounds = [{name: measure_once() for name, measure_once in variants.items()} for _ in range(ROUNDS)]
    figures: dict[str, Any] = {key: round(statistics.median(r[key] for r in rounds), 1) for key in rounds[0]}
    for name, over, under in (
        ("rows_to_decode", "rows_fps", "decode_fps"),
        ("rows_to_reference", "rows_fps", "reference_fps"),
        ("yunet_rows_to_reference", "yunet_rows_fps", "reference_fps"),
        ("annotated_to_reference", "annotated_fps", "reference_fps"),
        ("annotated_to_transcode", "annotated_fps", "transcode_fps"),
        ("annotated_to_baseline", "annotated_fps", "baseline_annotated_fps"),
    ):
        if over in variants and under in variants:
            figures[name] = round(statistics.median(r[over] / r[under] for r in rounds), 2)
    return figures


def many_faces(folder: Path) -> dict[str, Any]:
    """Measure the frames per second with twenty faces in view."""
    clip = media.faces_video(folder / "twenty.mp4", 20, 300)
    ours = [sys.executable, "-m", "fer_edge"]
    speeds = [run_fps(folder, ours, "video", clip, "-r", folder / "rows.jsonl") for _ in range(3)]
    seen = [len(json.loads(line)["faces"]) for line in (folder / "rows.jsonl").read_text().splitlines()]
    return {
        "twenty_faces_fps": round(statistics.median(speeds), 1),
        "twenty_faces_seen": statistics.mean(seen),
    }


class Paced:
    """A live source that plays a video in real time: a frame every 1/30 s, without waiting for the reader."""

    def __init__(self, clip: Path, frames: int) -> None:
        self.info = StreamInfo(name=str(clip), live=True, frame_rate=media.RATE)
        self._clip, self._frames = clip, frames
        self.captured_s: dict[int, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing; no resource is open."""

    def __iter__(self) -> Iterator[Frame]:
        capture = cv2.VideoCapture(str(self._clip))
        images = [np.asarray(capture.read()[1], np.uint8) for _ in range(self._frames)]
        capture.release()
        started = time.perf_counter()
        for index, image in enumerate(images):
            time.sleep(max(0.0, started + index / media.RATE - time.perf_counter()))
            self.captured_s[index] = time.perf_counter()
            yield Frame(image, self.info.name, index, self.captured_s[index] - started)


def live_latency(clip: Path) -> dict[str, Any]:
    """Measure the latency from a live frame's capture to its result, in milliseconds and frame intervals."""
    source = Paced(clip, 240)
    late_s = []
    with EmotionRecognizer(smoothing=0.5) as recognizer:
        for result in recognizer.stream(source):
            late_s.append(time.perf_counter() - source.captured_s[result.frame.index])
    p50, p95, most = (float(np.percentile(late_s[30:], percent)) for percent in (50, 95, 100))
    return {
        "live_latency_p50_ms": round(1000 * p50, 1),
        "live_latency_p95_ms": round(1000 * p95, 1),
        "live_latency_most_intervals": round(most * media.RATE, 2),
        "live_frames_dropped": 240 - len(late_s),
    }


def classification() -> dict[str, Any]:
    """Time one face on one thread: the classify stage, ``predict`` without cropping, the bare interpreter."""
    image = np.asarray(cv2.imread(str(media.PORTRAIT)), np.uint8)
    face = Detection(FaceBox(155, 105, 222, 222))
    model = find_model()
    bare = open_interpreter(model.path, 1)
    tensor = bare.get_input_details()[0]["index"]
    values = quantize_pixels(np.zeros((1, 48, 48, 1), np.uint8))
    stage_s, predict_s, bare_s = [], [], []
    with Classifier(model, threads=1) as classifier:
        pixels = extract_face(Frame(image), face, model.spec)
        for _ in range(2000):
            frame = Frame(image)  # a new frame, so that its gray image is not cached
            started = time.perf_counter()
            classifier.classify(frame, face)
            classified = time.perf_counter()
            classifier.predict(pixels)
            predicted = time.perf_counter()
            bare.set_tensor(tensor, values)
            bare.invoke()
            bare_s.append(time.perf_counter() - predicted)
            predict_s.append(predicted - classified)
            stage_s.append(classified - started)
    stage, predict, interpreter = (
        1000 * statistics.median(times[200:]) for times in (stage_s, predict_s, bare_s)
    )
    return {
        "classify_ms": round(stage, 3),
        "predict_ms": round(predict, 3),
        "interpreter_ms": round(interpreter, 3),
        "classify_to_interpreter": round(stage / interpreter, 2),
        "predict_to_interpreter": round(predict / interpreter, 2),
    }


def starts(folder: Path, video: Path) -> dict[str, Any]:
    """Measure the seconds from process start to exit, and to the first row near the end of a two-hour video."""
    image = media.photo(folder / "square.jpg", 512, 512)
    two_hours = media.looped_video(folder / "two_hours.mp4", video, seconds=7200)
    return {
        "image_s": round(statistics.median(process_s("image", image)[0] for _ in range(9)), 3),
        "help_s": round(statistics.median(process_s("--help")[0] for _ in range(9)), 3),
        "start_in_last_minute_s": round(
            statistics.median(first_row_s("video", two_hours, "--start", "1:59:10") for _ in range(7)), 3
        ),
    }


def memory(folder: Path, video: Path) -> dict[str, Any]:
    """Measure the peak memory of short and long runs, and of a 48-megapixel photo, in MB."""
    rows, out = ("-r", folder / "rows.jsonl", "--overwrite"), ("-o", folder / "out.mp4", "--overwrite")
    short = media.looped_video(folder / "short.mp4", video, frames=1000)
    long = media.looped_video(folder / "long.mp4", video, frames=21_000)
    photo = media.photo(folder / "photo.jpg", 8000, 6000)
    few, many, annotated = (
        process_s("video", clip, *output)[1] for clip, output in ((short, rows), (long, rows), (short, out))
    )
    photo_s, photo_mb = process_s("image", photo)
    return {
        "rows_mb": round(few, 1),
        "annotated_mb": round(annotated, 1),
        "growth_after_20000_frames_mb": round(many - few, 1),
        "photo_48mp_s": round(photo_s, 2),
        "photo_48mp_mb": round(photo_mb, 1),
    }


def decode_fps(clip: Path) -> float:
    """Measure the frames per second of only decoding the video with OpenCV."""
    capture = cv2.VideoCapture(str(clip))
    started, frames = time.perf_counter(), 0
    while capture.read()[0]:
        frames += 1
    elapsed = time.perf_counter() - started
    capture.release()
    return frames / elapsed


def transcode_fps(ffmpeg: str, clip: Path, target: Path) -> float:
    """Measure FFmpeg's frames per second for decoding and encoding with x264's superfast preset."""
    with av.open(str(clip)) as container:
        frames = container.streams.video[0].frames
    command = [ffmpeg, "-v", "error", "-y", "-i", clip, "-an", "-preset", "superfast", target]
    started = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return frames / (time.perf_counter() - started)


def run_fps(folder: Path, program: Sequence[str], *arguments: object) -> float:
    """Return the frames per second that a run of the program reports."""
    summary = folder / "summary.json"
    command = [*program, *map(str, arguments), "--summary", str(summary), "--overwrite"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return float(json.loads(summary.read_text())["fps"])


def first_row_s(*arguments: object) -> float:
    """Measure the seconds from process start to the first row on standard output."""
    command = [sys.executable, "-m", "fer_edge", *map(str, arguments), "-r", "-"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        elapsed = time.perf_counter() - started
        process.kill()
    return elapsed


def process_s(*arguments: object) -> tuple[float, float]:
    """Run ``fer-edge``; return its wall time in seconds and its peak resident memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_edge", *map(str, arguments)], stdout=subprocess.DEVNULL
    )
    peak_mb = 0.0
    # wait4's ru_maxrss would include the memory of this process at the fork.
    while process.poll() is None:
        peak_mb = max(peak_mb, _high_water_mb(process.pid))
        time.sleep(0.01)
    elapsed = time.perf_counter() - started
    assert process.returncode == 0, f"fer-edge {' '.join(map(str, arguments))} failed"
    return elapsed, peak_mb


def _high_water_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak[0]) / 1024 if peak else 0.0
