"""Makes demo.jpg, the README's image: ``python docs/images/make_demo.py`` in the root of the repository.

Two portraits in the public domain stand beside one another in several sizes, two of them mirrored; what is written on
them is what the bundled model says. Commodore Grace Hopper: see tests/data/README.md. Eileen Collins: NASA, 1993, a
work of the U.S. federal government; eileen_collins.jpg is the copy in scikit-image (``skimage.data.astronaut``).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_edge import EmotionRecognizer, annotate
from fer_edge.types import Image

HERE = Path(__file__).resolve().parent
PORTRAITS = HERE.parents[1] / "tests/data/grace_hopper.jpg", HERE / "eileen_collins.jpg"
SIZE = 1200, 600
PLACES = (
    # portrait, (x, y, width, height) in its own pixels, left edge and width in the scene, mirrored
    (0, (90, 0, 360, 540), 0, 400, False),
    (1, (60, 0, 341, 512), 400, 400, False),
)
SMALL = (
    (1, (110, 10, 240, 240), 800, 0, True),
    (0, (120, 30, 320, 320), 1000, 0, True),
    (0, (40, 0, 420, 420), 800, 200, False),
    (1, (30, 0, 380, 380), 1000, 200, False),
    (1, (80, 10, 300, 300), 800, 400, False),
    (0, (100, 20, 340, 340), 1000, 400, False),
)


def compose() -> Image:
    """The scene without drawings: uint8 (600, 1200, 3) BGR, two large portraits and six small ones."""
    scene = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for portrait, crop, left, width, mirrored in PLACES:
        scene[:, left : left + width] = cut_portrait(portrait, crop, (width, SIZE[1]), mirrored)
    for portrait, crop, left, top, mirrored in SMALL:
        scene[top : top + 200, left : left + 200] = cut_portrait(portrait, crop, (200, 200), mirrored)
    return scene


def cut_portrait(
    portrait: int, crop: tuple[int, int, int, int], size: tuple[int, int], mirrored: bool
) -> Image:
    """A part of a portrait at a size (width, height) in pixels."""
    image = cv2.imread(str(PORTRAITS[portrait]))
    assert image is not None
    x, y, width, height = crop
    part = cv2.resize(image[y : y + height, x : x + width], size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.flip(part, 1) if mirrored else part, np.uint8)


if __name__ == "__main__":
    scene = compose()
    drawn = annotate(scene, EmotionRecognizer().analyze(scene))
    cv2.imwrite(str(HERE / "demo.jpg"), drawn, [cv2.IMWRITE_JPEG_QUALITY, 88])
