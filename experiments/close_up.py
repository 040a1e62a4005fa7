"""Measure what the close-up search, for faces that fill a still image, gains and costs.

FER-2013 faces fill their images. Each is enlarged and searched once like a video frame, without the close-up
search, and once like a still image, with it. The same images with shuffled blocks contain no face, so every box found
there is false. Choose on Training or PublicTest, never on PrivateTest.

    python -m experiments.close_up DATA [--split Training] [--faces 300]
"""

from __future__ import annotations

import argparse
from unittest.mock import patch

import cv2
import numpy as np

from fer_edge.detectors.haar import HaarDetector
from fer_edge.types import FaceBox, Frame
from fer_train.data.dataset import load_faces

SIDE = 224  # side of the enlarged image, in pixels
BLOCKS = (12, 16)  # sides of the shuffled blocks, in pixels of the 48×48 face
FACE = FaceBox(17, 17, 190, 190)  # approximate face box in the enlarged image, in Haar's framing


def enlarge(face: np.ndarray) -> Frame:
    """Return the face as an enlarged color frame that it fills."""
    large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return Frame(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))


def shuffle_blocks(face: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return the face with its blocks in random order."""
    count = face.shape[0] // side
    blocks = face.reshape(count, side, count, side).swapaxes(1, 2).reshape(-1, side, side)
    mixed = rng.permutation(blocks).reshape(count, count, side, side)
    return mixed.swapaxes(1, 2).reshape(face.shape)


def main() -> None:
    """Print faces and false boxes, without and with the close-up search."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--split", default="Training")
    parser.add_argument("--faces", type=int, default=300)
    options = parser.parse_args()
    faces = load_faces(options.data).split(options.split)
    rng = np.random.default_rng(0)
    chosen = faces.pixels[rng.permutation(len(faces))[: options.faces]]
    detector = HaarDetector(still_image=True)
    for name, still_image in (("without the close-up search", False), ("with the close-up search", True)):
        with patch.object(detector, "_still_image", still_image):
            found = [[hit.box for hit in detector.detect(enlarge(face))] for face in chosen]
            right = sum(any(box.iou(FACE) >= 0.4 for box in boxes) for boxes in found)
            wrong = sum(box.iou(FACE) < 0.4 for boxes in found for box in boxes)
            print(f"{name}: {right} of {len(chosen)} faces found, {wrong} false boxes", flush=True)
            block_rng = np.random.default_rng(1)
            for side in BLOCKS:
                count = sum(
                    len(detector.detect(enlarge(shuffle_blocks(face, side, block_rng)))) for face in chosen
                )
                print(f"    shuffled in blocks of {side}: {count} false boxes", flush=True)


if __name__ == "__main__":
    main()
