"""Measure recall, false detections and cost of each face detector: the table in docs/detectors.md.

``FACES`` and ``NOTHING`` are folders as in ``experiments.yunet``, whose drawn cobbles are searched as well. YuNet
provides the reference positions; a face counts as found if the center of a box is within about a third of its width.
Times are CPU time of one thread.

    python -m experiments.detector_table YUNET FACES NOTHING --detector haar [--detector-model FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.yunet import HEIGHT, WIDTH, Image, best, draw_all, draw_cobbles, put, read_images, turn
from fer_edge.detectors.base import Detector
from fer_edge.detectors.registry import DETECTORS, create_detector
from fer_edge.detectors.yunet_network import read_network
from fer_edge.types import Detection, Frame

SIZES = (20, 28, 40, 50, 64, 80, 110, 140, 180, 250)  # widths of a face in 1280×720, in pixels
Face = tuple[Image, NDArray[np.float32]]


def is_near(detection: Detection, center: Sequence[float], width: float) -> bool:
    """Return whether a detection's center is within about a third of a face width of ``center``."""
    x, y = detection.box.center
    return abs(x - center[0]) < 0.35 * width and abs(y - center[1]) < 0.35 * width


def count_tilted(detector: Detector, faces: Sequence[Face], degrees: float) -> tuple[int, int]:
    """Count the faces found when images are rotated by ``degrees``, and the other boxes."""
    found = others = 0
    for image, face in faces:
        turned, matrix = turn(image, degrees)
        place = matrix @ [face[0] + face[2] / 2, face[1] + face[3] / 2, 1.0]
        near = [
            is_near(detection, place, face[2] * (0.75 if degrees else 1.0))
            for detection in detector.detect(Frame(turned))
        ]
        found += any(near)
        others += near.count(False)
    return found, others


def measure_smallest(detector: Detector, faces: Sequence[Face], grounds: Sequence[Image]) -> str:
    """Return the smallest face width with 90 % recall in 1280×720, and the recall at each width."""
    rng = np.random.default_rng(2)
    shares = []
    for size in SIZES:
        found = 0
        for number in range(20):
            scene = cv2.resize(grounds[number % len(grounds)], (WIDTH, HEIGHT))
            places = [
                put(scene, *faces[rng.integers(len(faces))], size, 30 + 410 * x, int(rng.uniform(10, 200)))
                for x in range(3)
            ]
            detections = detector.detect(Frame(np.asarray(scene, np.uint8)))
            found += sum(any(is_near(each, place, size) for each in detections) for place in places)
        shares.append(found / 60)
    reached = [size for size, share in zip(SIZES, shares, strict=True) if share >= 0.9]
    listed = ", ".join(f"{size}: {share:.0%}" for size, share in zip(SIZES, shares, strict=True))
    return f"{reached[0] if reached else 'none'} ({listed})"


def measure_time(detector: Detector, faces: Sequence[Face], grounds: Sequence[Image]) -> float:
    """Return the median CPU milliseconds per 956×534 frame with one face."""
    scene = cv2.resize(grounds[0], (956, 534))
    put(scene, *faces[0], 150, 300, 100)
    detector.detect(Frame(np.asarray(scene, np.uint8)))
    times = []
    for _ in range(15):
        started = time.process_time()
        detector.detect(Frame(np.asarray(scene, np.uint8)))
        times.append(time.process_time() - started)
    return 1000 * float(np.median(times))


def main() -> None:
    """Print the figures of one detector."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("yunet", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("nothing", type=Path)
    parser.add_argument("--detector", choices=DETECTORS.names, required=True)
    parser.add_argument("--detector-model", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    network = read_network(options.yunet)
    images = [(image, network.detect(image)) for image in read_images(options.faces)]
    faces = [(image, best(rows)) for image, rows in images if len(rows)]
    large = [(image, face) for image, face in faces if face[14] > 0.85 and min(image.shape[:2]) >= 250]
    nothing = list(read_images(options.nothing))
    cobbles = draw_all(draw_cobbles, (14, 24, 40, 70, 120))
    for still in (True, False):
        detector = create_detector(options.detector, still_image=still, model=options.detector_model)
        print(options.detector, "on still images" if still else "on video", flush=True)
        print(f"  {measure_time(detector, large, nothing):.1f} ms per 956×534 frame")
        print(f"  smallest face: {measure_smallest(detector, large, nothing[:6])}", flush=True)
        found, others = count_tilted(detector, faces, 0)
        print(f"  found: {found} of {len(images)}; other boxes: {others}", flush=True)
        if still:
            tilted = [count_tilted(detector, faces, degrees)[0] for degrees in (30, -30, 45, -45)]
            shares = [(tilted[i] + tilted[i + 1]) / (2 * len(faces)) for i in (0, 2)]
            print(f"  found at 30°: {shares[0]:.0%}; at 45°: {shares[1]:.0%}", flush=True)
            wrong = [sum(len(detector.detect(Frame(image))) for image in kind) for kind in (nothing, cobbles)]
            print(
                f"  false boxes: {wrong[0]} in {len(nothing)} images without faces, "
                f"{wrong[1]} in {len(cobbles)} images of cobbles"
            )
        detector.close()


if __name__ == "__main__":
    main()
