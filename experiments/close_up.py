"""What the second look for a face that fills its picture gains in single pictures, and what it costs.

Faces of FER-2013 fill their pictures. Each is enlarged and searched as video frames are, with the first look
alone, and as single pictures are, with the second one. The same pictures cut into blocks and shuffled have
no face: what is found there is wrong. Choose on Training or PublicTest, never on PrivateTest.

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

SIDE = 224  # pixels of the enlarged picture
BLOCKS = (12, 16)  # pixels of 48: the sides of the blocks that are shuffled
FACE = FaceBox(17, 17, 190, 190)  # where its face is, about, as Haar frames it


def enlarge(face: np.ndarray) -> Frame:
    """The face as an image that it fills."""
    large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return Frame(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))


def shuffle_blocks(face: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """The blocks of the face in another order."""
    count = face.shape[0] // side
    blocks = face.reshape(count, side, count, side).swapaxes(1, 2).reshape(-1, side, side)
    mixed = rng.permutation(blocks).reshape(count, count, side, side)
    return mixed.swapaxes(1, 2).reshape(face.shape)


def main() -> None:
    """Print faces and false boxes, with the first look alone and with both."""
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
    for name, looks in (("first look alone", False), ("with the second look", True)):
        with patch.object(detector, "_still_image", looks):
            found = [[hit.box for hit in detector.detect(enlarge(face))] for face in chosen]
            right = sum(any(box.iou(FACE) >= 0.4 for box in boxes) for boxes in found)
            wrong = sum(box.iou(FACE) < 0.4 for boxes in found for box in boxes)
            print(f"{name}: {right} of {len(chosen)} faces found, {wrong} false boxes beside", flush=True)
            mixed = np.random.default_rng(1)
            for side in BLOCKS:
                count = sum(
                    len(detector.detect(enlarge(shuffle_blocks(face, side, mixed)))) for face in chosen
                )
                print(f"    shuffled in blocks of {side}: {count} false boxes", flush=True)


if __name__ == "__main__":
    main()
