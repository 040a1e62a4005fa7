"""Compare MediaPipe's face detection model in plain LiteRT with MediaPipe: faces, memory and time.

``python -m experiments.blazeface MODEL IMAGES`` requires MediaPipe; docs/experiments.md has the result.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.classification.interpreter import open_interpreter
from fer_edge.detectors.nms import suppress_overlaps
from fer_edge.sources.image_io import read_image
from fer_edge.types import Detection, FaceBox, Image

SIDE = 128
LEAST_SCORE = 0.5
SAME_FACE_IOU = 0.3


def make_anchors() -> NDArray[np.float32]:
    """Return the centers of the short-range model's 896 anchors, 0…1, float32 (896, 2) as x, y.

    There are two anchors in each of 16×16 cells and six in each of 8×8.
    """
    grids = []
    for cells, anchors in ((16, 2), (8, 6)):
        rows, columns = np.mgrid[:cells, :cells]
        centers = np.stack([columns, rows], axis=-1).reshape(-1, 2)
        grids.append(np.repeat((centers + 0.5) / cells, anchors, axis=0))
    return np.concatenate(grids).astype(np.float32)


class BlazeFace:
    """The BlazeFace model (Bazarevsky et al., 2019) with its own decoding of boxes."""

    def __init__(self, model: Path) -> None:
        self._interpreter = open_interpreter(model, 1)
        self._input = self._interpreter.get_input_details()[0]["index"]
        shapes = {tuple(d["shape"])[-1]: d["index"] for d in self._interpreter.get_output_details()}
        self._boxes, self._scores = shapes[16], shapes[1]
        self._anchors = make_anchors()

    def detect(self, image: Image) -> list[Detection]:
        """Detect the faces in a uint8 (height, width, 3) BGR image."""
        height, width = image.shape[:2]
        side = max(height, width)
        scale = SIDE / side
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        left, top = (SIDE - inner[0]) // 2, (SIDE - inner[1]) // 2
        square = np.zeros((SIDE, SIDE, 3), np.uint8)
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        square[top : top + inner[1], left : left + inner[0]] = cv2.resize(rgb, inner)
        self._interpreter.set_tensor(self._input, (square.astype(np.float32) / 127.5 - 1)[None])
        self._interpreter.invoke()
        boxes = self._interpreter.get_tensor(self._boxes)[0]
        scores = 1 / (1 + np.exp(-np.clip(self._interpreter.get_tensor(self._scores)[0, :, 0], -80, 80)))
        found = []
        for i in np.flatnonzero(scores >= LEAST_SCORE):
            center = boxes[i, :2] / SIDE + self._anchors[i]
            size = boxes[i, 2:4] / SIDE
            x, y = ((center - size / 2) * SIDE - (left, top)) / scale
            w, h = size * SIDE / scale
            found.append(Detection(FaceBox(round(x), round(y), round(w), round(h)), float(scores[i])))
        return list(suppress_overlaps(found, SAME_FACE_IOU, key=lambda face: face.score or 0.0))


def create_mediapipe_detector(model: Path) -> Callable[[Image], list[Detection]]:
    """Return a function that detects the faces in a whole image with MediaPipe."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_path=str(model)), min_detection_confidence=LEAST_SCORE
    )
    detector = vision.FaceDetector.create_from_options(options)

    def detect(image: Image) -> list[Detection]:
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        found = detector.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)).detections
        boxes = [face.bounding_box for face in found]
        return [
            Detection(FaceBox(b.origin_x, b.origin_y, b.width, b.height), face.categories[0].score)
            for b, face in zip(boxes, found, strict=True)
        ]

    return detect


def measure(how: str, model: Path, folder: Path) -> None:
    """Print the faces that one implementation finds in each image, with time and memory, as JSON."""
    started = time.perf_counter()
    detect = create_mediapipe_detector(model) if how == "mediapipe" else BlazeFace(model).detect
    opened_s = time.perf_counter() - started
    found: dict[str, Any] = {}
    times = []
    for path in sorted(folder.rglob("*.*")):
        image = read_image(path)
        started = time.perf_counter()
        faces = detect(image)
        times.append(time.perf_counter() - started)
        found[str(path)] = [[*_corners(face.box), face.score] for face in faces]
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(
        json.dumps(
            {
                "opened_s": opened_s,
                "ms": 1000 * float(np.median(times)),
                "peak_mb": peak / 1024,
                "found": found,
            }
        )
    )
    sys.stdout.flush()
    os._exit(0)  # MediaPipe fails when it is closed at interpreter exit


def _corners(box: FaceBox) -> tuple[int, int, int, int]:
    return box.x, box.y, box.width, box.height


def main() -> None:
    """Run both implementations and compare their faces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--how", choices=("mediapipe", "litert"))
    options = parser.parse_args()
    if options.how:
        measure(options.how, options.model, options.images)
    results = {}
    for how in ("mediapipe", "litert"):
        command = [
            sys.executable,
            "-m",
            "experiments.blazeface",
            options.model,
            options.images,
            "--how",
            how,
        ]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
        results[how] = json.loads(done.stdout.splitlines()[-1])
    theirs, ours = (results[how].pop("found") for how in ("mediapipe", "litert"))
    overlaps = []
    for path, faces in theirs.items():
        boxes = [FaceBox(*face[:4]) for face in ours[path]]
        overlaps += [max((FaceBox(*face[:4]).iou(box) for box in boxes), default=0.0) for face in faces]
    for how, figures in results.items():
        print(how, {name: round(value, 2) for name, value in figures.items()})
    for how, found in (("mediapipe", theirs), ("litert", ours)):
        counts = [len(faces) for faces in found.values()]
        print(
            f"{how}: faces in {sum(map(bool, counts))} of {len(counts)} images, {sum(counts)} faces in total"
        )
    print(
        f"LiteRT finds {np.mean(np.asarray(overlaps) > 0.5):.1%} of MediaPipe's faces, median overlap "
        f"{np.median(overlaps):.3f}"
    )


if __name__ == "__main__":
    main()
